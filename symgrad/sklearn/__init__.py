"""scikit-learn's multilayer perceptrons with compiled numerics: change the import, and that is all.

    from symgrad.sklearn import MLPClassifier, MLPRegressor

    estimators.py   the two classes: scikit-learn's own, but for what computes
    epochs.py       an epoch, in the order that scikit-learn sees the samples
    optimizer.py    what stochastic training remembers from epoch to epoch
    network.py      the network as a spec, and its module

scikit-learn checks input, draws weights, splits, shuffles and labels, as it does for its own
estimators; each file imports only from those below it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]


def __getattr__(name: str) -> Any:
    """scikit-learn takes a second to import: it is when one of the two is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'symgrad.sklearn' has no attribute {name!r}")
    from symgrad.interop.errors import needed

    needed("sklearn", "symgrad.sklearn", "sklearn")
    from symgrad.sklearn import estimators

    return getattr(estimators, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
