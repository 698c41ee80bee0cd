"""MLPClassifier and MLPRegressor: scikit-learn's, with compiled functions in place of its loops.

What is replaced are three methods: the prediction, the stochastic training and L-BFGS. With the
same `random_state` weights, splits and orders are scikit-learn's, and so results are, up to
rounding, but for these:

- scikit-learn caps the loss of a sample of a class at about 36 (16 in float32). Here it is not
  capped, so that with inputs that were not scaled a fit may end later.
- L-BFGS computes in float64 whatever the input, and with several numbers as targets minimises their
  sum, whose gradient scikit-learn takes, and not their mean.
- A batch whose weights sum to 0 is passed over, and negative counts are refused.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import numpy as np
import scipy.optimize
from scipy.special import xlogy
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from symgrad.compiler import Compiled
from symgrad.masks import refuse_masked
from symgrad.sklearn.epochs import Data, Epochs, NotFinite, penalty, told
from symgrad.sklearn.network import compiled, flat, views
from symgrad.sklearn.optimizer import Optimizer, name_of
from symgrad.targets.waiting import shown


@contextmanager
def _told(words: str) -> Iterator[None]:
    """What takes long, as estimators tell how they fare."""
    print(words)
    yield


def _with_keyword(function: Callable[..., Any], name: str) -> inspect.Signature:
    """The signature of a function with a further parameter, None by default."""
    signature = inspect.signature(function)
    more = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*signature.parameters.values(), more])


# Its attributes are scikit-learn's, whose class stands behind it in both estimators.
_Mixin: Any = object


class _WithModule(_Mixin):
    """What both have in common."""

    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    _no_improvement_count: int
    _optimizer: Optimizer
    # What its module was made for: the dtype, whether samples have weights, and the optimizer.
    _made_for: tuple[str, bool, str | None]

    @property
    def compiled_(self) -> Compiled:
        """The network, compiled: its equations, its source, and the module whose functions can be
        called from one's own code with `theta_`."""
        check_is_fitted(self)
        arguments = self._widths(), self.activation, self.out_activation_
        return compiled(*arguments, *self._made_for)

    @property
    def theta_(self) -> np.ndarray:
        """All weights as the module takes them, of shape (weights,): a copy."""
        return flat(self.compiled_.module, self.coefs_, self.intercepts_)

    # ---- before scikit-learn's own, which look under masks

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, *rest: Any, **named: Any) -> Any:
        refuse_masked(X=X, y=y, sample_weight=sample_weight)
        with shown(_told) if self.verbose else nullcontext():
            return super()._fit(X, y, sample_weight, *rest, **named)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        refuse_masked(X=X, y=y, sample_weight=sample_weight)
        return float(super().score(X, y, sample_weight))

    # ---- in place of scikit-learn's own

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> np.ndarray:
        refuse_masked(X=X)
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        theta, predict = self.theta_, self.compiled_.module.predict
        data = Data.of(X, np.empty((X.shape[0], 0)), None, theta.dtype)
        y = np.concatenate([predict(theta, data.chosen(block)[0]) for block in data.blocks()])
        return y.astype(np.result_type(X, self.coefs_[0]), copy=False)

    def _fit_lbfgs(self, X: Any, y: np.ndarray, sample_weight: Any, *rest: Any) -> None:
        self._check_depth(rest[-1])
        self._check_counts(y)
        # In float64: the line search ends early on the rounding of float32.
        self._made_for = "float64", sample_weight is not None, None
        module, theta = self.compiled_.module, self.theta_
        data = Data.of(X, y, sample_weight, theta.dtype)
        blocks = list(data.blocks())
        l2, first = self.alpha / data.weight, data.chosen(blocks[0])

        def loss_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
            """A mean over blocks of samples, each with the same penalty."""
            if len(blocks) == 1:
                return module.loss_and_gradient(theta, *first, l2)
            E, gradient = 0.0, np.zeros_like(theta)
            for block in blocks:
                samples = data.chosen(block)
                share = (samples[2].sum() if data.w is not None else len(samples[1])) / data.weight
                if share:
                    loss, slope = module.loss_and_gradient(theta, *samples, l2)
                    E += share * loss
                    gradient += share * slope
            return E, gradient

        def report(intermediate_result: Any) -> None:
            print(f"loss = {intermediate_result.fun:.8f}")

        result = scipy.optimize.minimize(
            loss_and_gradient,
            theta,
            method="L-BFGS-B",
            jac=True,
            callback=report if self.verbose else None,
            options={"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol},
        )
        if result.status != 0:
            warnings.warn(
                f"lbfgs failed to converge after {result.nit} iteration(s) "
                f"(status={result.status}): {result.message}. "
                "Raise max_iter or max_fun, or scale the data",
                ConvergenceWarning,
                stacklevel=5,
            )
        self.n_iter_ = min(int(result.nit), self.max_iter)
        constant = np.average(self._constants(data), weights=data.w)
        self.loss_ = float(result.fun) + float(constant)
        if self._tells_the_mean():
            self.loss_ = told(self.loss_, l2 * penalty(module, result.x), self.n_outputs_)
        trained = result.x.astype(self.coefs_[0].dtype)
        self.coefs_, self.intercepts_ = views(module, trained)

    def _fit_stochastic(self, X: Any, y: np.ndarray, sample_weight: Any, *rest: Any) -> None:
        incremental = rest[-1]
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        self._check_depth(rest[-2])
        self._check_counts(y)
        goes_on = incremental and hasattr(self, "_optimizer")
        kind = self._optimizer.kind if goes_on else name_of(self)
        self._made_for = self.coefs_[0].dtype.name, sample_weight is not None, kind
        module, theta = self.compiled_.module, self.theta_
        self.coefs_, self.intercepts_ = views(module, theta)
        if not goes_on:
            self._optimizer = Optimizer.begun(self, kind, module)
        trained, held_out = self._split(X, y, sample_weight)
        x, t, w = trained
        data = Data.of(x, t, w, theta.dtype)
        epochs = Epochs(
            module,
            data,
            self.alpha,
            self._rows_of_a_batch(len(data)),
            mean=self._tells_the_mean(),
            constant=self._constants(data),
        )
        order = np.arange(len(data))
        self.n_iter_ = 0
        try:
            for _ in range(self.max_iter):
                if self.shuffle:
                    order = shuffle(order, random_state=self._random_state)
                optimizer = self._optimizer
                going_on = optimizer.state, optimizer.progress, optimizer.settings(module)
                loss = epochs.run(theta, order, *going_on)
                self.n_iter_ += 1
                self.t_ += len(data)
                self.loss_ = loss
                self.loss_curve_.append(loss)
                if self.verbose:
                    print(f"Iteration {self.n_iter_}, loss = {loss:.8f}")
                if self._is_done(held_out, incremental):
                    break
        except NotFinite:
            theta.fill(np.nan)  # as steps down its gradient would; fit() refuses it
            if not incremental:
                # scikit-learn goes on to its last iteration with it, and says so.
                warnings.warn(
                    "Stochastic Optimizer: the loss is not finite in iteration "
                    f"{self.n_iter_ + 1} of {self.max_iter}, and the optimization hasn't converged"
                    " yet.",
                    ConvergenceWarning,
                    stacklevel=5,
                )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        if self.early_stopping:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    # ---- parts of it

    def _is_done(self, held_out: tuple[Any, Any, Any], incremental: bool) -> bool:
        """After an epoch: whether it was the last; the rate may change."""
        self._update_no_improvement_count(self.early_stopping, *held_out)
        self._optimizer.epoch_ends(self.t_)
        if self._no_improvement_count > self.n_iter_no_change:
            what = "Validation score" if self.early_stopping else "Training loss"
            reason = (
                f"{what} did not improve more than tol={self.tol:f} for "
                f"{self.n_iter_no_change} consecutive epochs."
            )
            if self._optimizer.gives_up(reason, self.verbose):
                return True
            self._no_improvement_count = 0
        if incremental:
            return True
        if self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
        return False

    def _split(self, X: Any, y: np.ndarray, sample_weight: Any) -> tuple[Any, Any]:
        """What is trained on, and what is held out: x, y and the weights of each."""
        if not self.early_stopping:
            return (X, y, sample_weight), (None, None, None)
        arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
        parts = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and self.n_outputs_ == 1 else None,
        )
        trained, held_out = parts[::2], parts[1::2]
        if held_out[0].shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        if is_classifier(self):
            held_out[1] = self._label_binarizer.inverse_transform(held_out[1])
        none = [None] * (sample_weight is None)
        return (*trained, *none), (*held_out, *none)

    def _rows_of_a_batch(self, samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, samples)
        if self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=6,
            )
        return min(int(self.batch_size), samples)

    def _widths(self) -> list[int]:
        return [W.shape[0] for W in self.coefs_] + [self.coefs_[-1].shape[1]]

    def _check_depth(self, widths: list[int]) -> None:
        """Weights from before, by warm_start or partial_fit, keep their layers."""
        if len(widths) != len(self._widths()):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not fit the weights that "
                f"there are, of {len(self._widths()) - 2} hidden layers; fit with warm_start=False"
            )

    def _check_counts(self, y: np.ndarray) -> None:
        """Poisson's loss has no meaning for what scikit-learn would take the logarithm of."""
        if self.out_activation_ == "exp" and (negative := np.argwhere(y < 0)).size:
            row = int(negative[0, 0])
            raise ValueError(
                f"loss='poisson' is for counts or rates, from 0 on, but y of sample {row} is "
                f"{y[tuple(negative[0])]:g}"
            )

    def _tells_the_mean(self) -> bool:
        """scikit-learn tells the squared loss as a mean over outputs; its gradient is the sum's."""
        return self.n_outputs_ > 1 and self.out_activation_ == "identity"

    def _constants(self, data: Data) -> np.ndarray:
        """What scikit-learn's Poisson loss has besides y − t·log y, for each sample."""
        if self.out_activation_ != "exp":
            return np.zeros(len(data))
        return (xlogy(data.t, data.t) - data.t).sum(axis=1, dtype=np.float64)


class MLPClassifier(_WithModule, neural_network.MLPClassifier):
    """scikit-learn's MLPClassifier, its network compiled: parameters, attributes and methods are
    those of `sklearn.neural_network.MLPClassifier`, whose documentation holds here too.

    One parameter is added, as other classifiers of scikit-learn's have it: `class_weight`, a
    mapping of classes to weights, or "balanced" for n_samples/(n_classes·samples of the class),
    or None. The weight of a sample is multiplied by that of its class.

    Further attributes of a fitted one: `compiled_`, the network as `symgrad.compile` gives it, and
    `theta_`, the weights as its module takes them. The first fit of a network compiles it, which
    takes seconds; its code is kept in the user's cache folder, for whichever process comes next.
    """

    _parameter_constraints: ClassVar[dict] = {
        **neural_network.MLPClassifier._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        class_weight: Mapping[Any, float] | str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, **others)
        self.class_weight = class_weight

    # Parameters are told from the signature, and scikit-learn's differ by version.
    __init__.__signature__ = _with_keyword(  # type: ignore[attr-defined]
        neural_network.MLPClassifier.__init__, "class_weight"
    )

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, *rest: Any, **named: Any) -> Any:
        if self.class_weight is not None:
            if self.class_weight == "balanced" and (True in rest or named.get("incremental")):
                raise ValueError(
                    "class_weight='balanced' is of all samples, which partial_fit never sees; give "
                    "weights by class"
                )
            refuse_masked(y=y, sample_weight=sample_weight)
            of_classes = compute_sample_weight(self.class_weight, y)
            given = 1.0 if sample_weight is None else np.asarray(sample_weight)
            sample_weight = given * of_classes
        return super()._fit(X, y, sample_weight, *rest, **named)


class MLPRegressor(_WithModule, neural_network.MLPRegressor):
    """scikit-learn's MLPRegressor, its network compiled: parameters, attributes and methods are
    those of `sklearn.neural_network.MLPRegressor`, whose documentation holds here too.

    Further attributes of a fitted one: `compiled_`, the network as `symgrad.compile` gives it, and
    `theta_`, the weights as its module takes them. The first fit of a network compiles it, which
    takes seconds; its code is kept in the user's cache folder, for whichever process comes next.
    """
