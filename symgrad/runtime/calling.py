"""calling: the functions of a module as Python calls them: compiled when first used, checked
always."""

import functools
import inspect
import math

import numpy as np

from symgrad.runtime.kinds import NATIVE, left_out
from symgrad.runtime.memory import LARGE, memory_available


def out_of_memory(*arguments):
    raise MemoryError("no memory for what is computed on the way")


class DoesNotFit(Exception):
    """Arguments are other than compiled code takes them."""


def does_not_fit(*arguments, **named):
    raise DoesNotFit


class Compiled(functools.partial):
    """A function for arrays of exactly the types in its signature, compiled at its first call.

    Call it from Python; or from a function of your own under @njit, or hand it to one as an
    argument: there it is compiled in and runs without Python, on one thread.

    Python calls a partial object's function without a detour. That function is replaced when the
    first call has shown what is needed. `work` is what computes: called with all arguments, as they
    fit, it gives the result; `first` is what the first calls do; `from_python` gives a function of
    C, which hands arguments that do not fit over to another; `dispatcher` is what compiled code
    calls; `kinds` are those of the arguments by name. `check` raises what is wrong with arguments.
    """

    def __new__(cls, body, work, check, facts):
        self = super().__new__(cls, body)
        self.body, self.work, self.check, self.facts, self.dispatcher = (
            body,
            work,
            check,
            facts,
            None,
        )
        self.parameters = inspect.signature(body)
        self.kinds = {name: work.kinds[name] for name in self.parameters.parameters}
        functools.update_wrapper(self, body)
        self.__module__, self.__qualname__ = facts.name, body.__name__
        self.redirect(self.first)
        return self

    def redirect(self, function):
        """Calls go to `function` from now on."""
        self.__setstate__((function, (), {}, vars(self)))

    def first(self, /, *arguments, **named):
        return self.work.first(self, arguments, named)

    def fast(self):
        """The function for arguments that fit."""
        return self.work.from_python(self.otherwise)

    def otherwise(self, /, *arguments, **named):
        """A call whatever the arguments are."""
        complete = self.completed(self.fitting(*arguments, **named))
        return self.answer(self.work(*complete), complete)

    def completed(self, arguments):
        """With what is written into, where that is not given."""
        return tuple(arguments)

    def answer(self, result, complete):
        """What a call gives."""
        return result

    def fitting(self, /, *arguments, **named):
        """The arguments as compiled code takes them; an error says which cannot be taken, and
        why."""
        given = self.parameters.bind(*arguments, **named).arguments
        fitting = dict(zip(given, self.converted(given), strict=True))
        names = inspect.signature(as_python(self.check)).parameters
        try:
            as_python(self.check)(**{name: fitting.get(name, left_out(name)) for name in names})
        except ValueError as error:
            raise self.facts.in_words(error) from None
        return fitting.values()

    def converted(self, given):
        """What works in place does not convert: it says what is wrong."""
        wrong = [
            self.facts.mismatch(name, value, self.kinds[name]) for name, value in given.items()
        ]
        if wrong := [*filter(None, wrong)]:
            raise TypeError("; ".join(wrong))
        return [self.facts.in_place(name, value, self.kinds[name]) for name, value in given.items()]

    def compile(self):
        """The compiled function, a Numba dispatcher that takes this signature and no other."""
        if self.dispatcher is None:
            self.dispatcher = self.work.dispatcher(self.body)
        return self.dispatcher

    @property
    def _numba_type_(self):
        from numba import types

        return types.Dispatcher(self.compile())

    def __reduce__(self):
        return self.__name__

    def __repr__(self):
        return f"<{self.__module__}.{self.__name__}{self.parameters}>"

    def __get__(self, instance, owner=None):
        """As an attribute of a class it is what it is everywhere, and no method."""
        return self


class Converting(Compiled):
    """A compiled function that, called from Python, takes any array-like."""

    def converted(self, given):
        return [self.facts.converted(name, value) for name, value in given.items()]


class Predict(Converting):
    def completed(self, arguments):
        theta, x = arguments
        return theta, x, np.empty((len(x), self.facts.outputs), self.facts.native)

    def answer(self, result, complete):
        return complete[-1]

    def fast(self):
        run, empty = self.work.from_python(does_not_fit), np.empty
        outputs, native = self.facts.outputs, self.facts.native

        def predict(theta, x):
            try:
                y = empty((len(x), outputs), native)
                run(theta, x, y)
            except (DoesNotFit, TypeError):
                return self.otherwise(theta, x)
            return y

        predict.__qualname__ = self.__name__
        return predict


class LossAndGradient(Converting):
    def completed(self, arguments):
        return *arguments, np.empty(self.facts.size, self.facts.native)

    def answer(self, result, complete):
        return result, complete[-1]

    def fast(self):
        run, empty = self.work.from_python(does_not_fit), np.empty
        size, native = self.facts.size, self.facts.native

        def loss_and_gradient(theta, x, t):
            gradient = empty(size, native)
            try:
                return run(theta, x, t, gradient), gradient
            except DoesNotFit:
                return self.otherwise(theta, x, t)

        def of_more(*arguments, **named):
            gradient = empty(size, native)
            try:
                return run(*arguments, gradient, **named), gradient
            except DoesNotFit:
                return self.otherwise(*arguments, **named)

        chosen = loss_and_gradient if len(self.parameters.parameters) == 3 else of_more
        chosen.__name__ = chosen.__qualname__ = self.__name__
        return chosen

    def otherwise(self, /, theta, *rest, **named):
        E, gradient = super().otherwise(theta, *rest, **named)
        given = np.asarray(theta).dtype
        if given.kind == "f" and given.itemsize == 8:
            gradient = gradient.astype(np.float64, copy=False)  # as SciPy's minimisers want it
        return E, gradient


class Into(Compiled):
    """A derivative that is written into arrays of the caller's."""

    def answer(self, result, complete):
        return result if self.facts.results[self.__name__.removesuffix("_into")].value else None

    def fast(self):
        run = super().fast()

        def derivative(*arguments, **named):
            return self.answer(run(*arguments, **named), None)

        derivative.__name__ = derivative.__qualname__ = self.__name__
        return derivative


class Derivative(Converting):
    """One that gives arrays of its own, for arguments that are converted."""

    def completed(self, arguments):
        given = tuple(arguments)
        return (*given, *self.results(len(given[1])))

    def results(self, samples):
        """Memory for what is computed of so many samples."""
        extents = self.facts.results[self.__name__].extents.values()
        shapes = [tuple(samples if n == "samples" else n for n in each) for each in extents]
        needed = sum(math.prod(shape) for shape in shapes) * self.facts.native.itemsize
        if needed > LARGE:
            self.refuse_beyond_memory(needed, shapes)
        return [np.empty(shape, self.facts.native) for shape in shapes]

    def refuse_beyond_memory(self, needed, shapes):
        """Before anything is computed, of which an end would be made in the middle."""
        available = memory_available()
        if needed > available:
            shape = " and ".join(map(str, shapes))
            raise MemoryError(
                f"{self.__name__} gives an array of shape {shape}, {needed / 1e9:,.1f} GB, and"
                f" {available / 1e9:,.1f} GB of memory are available; give it fewer samples at a"
                f" time, or use a product with a vector in place of a matrix"
            )

    def answer(self, result, complete):
        facts = self.facts.results[self.__name__]
        arrays = complete[-len(facts.extents) :]
        return (result, *arrays) if facts.value else arrays[0]

    def fast(self):
        run, empty, native = self.work.from_python(does_not_fit), np.empty, self.facts.native
        facts = self.facts.results[self.__name__]
        (extents, *more) = facts.extents.values()

        def derivative(*arguments, **named):
            try:
                complete = *arguments, *self.results(len(arguments[1]))
                return self.answer(run(*complete, **named), complete)
            except (DoesNotFit, TypeError, IndexError):
                return self.otherwise(*arguments, **named)

        def vector(*arguments, **named):
            """A small one, of the same size always."""
            try:
                result = empty(extents, native)
                run(*arguments, result, **named)
            except (DoesNotFit, TypeError):
                return self.otherwise(*arguments, **named)
            return result

        always = "samples" not in extents
        small = always and math.prod(extents) * native.itemsize <= LARGE
        chosen = vector if small and not more and not facts.value else derivative
        chosen.__name__ = chosen.__qualname__ = self.__name__
        return chosen


class Epoch(Compiled):
    """An epoch takes long enough for Python to look at what it is given."""

    def __new__(cls, body, work, check, facts):
        self = super().__new__(cls, body, work, check, facts)
        self.given = tuple(
            NATIVE[kind.number] if kind.axes else float for kind in work.kinds.values()
        )
        return self

    def first(self, /, *arguments, **named):
        try:
            kinds = tuple(
                each.dtype if type(each) is np.ndarray else type(each) for each in arguments
            )
            if not named and kinds == self.given:
                return self.work.checked(*arguments)
        except ValueError as error:
            raise self.facts.in_words(error) from None
        except (DoesNotFit, TypeError, AttributeError, IndexError):
            pass  # other types or shapes than compiled code takes
        return self.otherwise(*arguments, **named)


def renamed(check, arguments, names):
    """A check of a derivative's arguments by the names that these have for callers; what is summed
    is a vector to it."""
    known = {names.get(name, name): name for name in arguments}
    parameters = inspect.signature(as_python(check)).parameters.values()
    changed = [each.replace(name=known.get(each.name, each.name)) for each in parameters]

    def checked(**given):
        given = {names.get(name, name): value for name, value in given.items()}
        if given.get("gradient") is not None:
            given["gradient"] = given["gradient"].reshape(-1)
        as_python(check)(**given)

    checked.__signature__ = inspect.Signature(changed)
    return checked


def as_python(function):
    """A function of Numba's as Python runs it."""
    return getattr(function, "py_func", function)
