"""joined: one program of two that begin alike."""

from collections.abc import Iterable, Mapping

from sympy import Expr

from symgrad.language.program import Definition, Program, array, indices_of, name_of, reads


def joined(first: Program, second: Program, alike: Iterable[str] = ()) -> tuple[Definition, ...]:
    """The definitions of the first, and those that the second has beside. What they both have is
    there once: what is equal, and what is called `alike`. Where they call other things by one name,
    those of the second get another."""
    taken = {*first.given, *first.by_name, *second.given, *second.by_name}
    same, names, more = {*alike}, dict[str, str](), list[Definition]()
    for definition in second.definitions:
        made, known = called(definition, names), first.by_name.get(definition.name)
        if known is not None and (definition.name in same or made == known):
            continue
        if definition.name in first.by_name or definition.name in first.given:
            name = definition.name
            while name in taken:
                name += "_"
            taken.add(name)
            names[definition.name] = name
            made = called(made, names)
        more.append(made)
    return (*first.definitions, *more)


def called(definition: Definition, names: Mapping[str, str]) -> Definition:
    """A definition with other names for some arrays."""
    return Definition(_called(definition.target, names), _called(definition.value, names))


def _called(value: Expr, names: Mapping[str, str]) -> Expr:
    return value.xreplace(
        {
            read: array(names[name_of(read)], *indices_of(read))
            for read in reads(value)
            if name_of(read) in names
        }
    )
