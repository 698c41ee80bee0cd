"""scikit-learn's multilayer perceptrons with compiled numerics: change the import, and that is all.

    from symgrad.sklearn import MLPClassifier, MLPRegressor

    estimators.py   the two classes: scikit-learn's own, but for what computes
    network.py      what they are as a spec, and its module
    epochs.py       an epoch, in the order that scikit-learn sees the samples
    optimizer.py    what stochastic training remembers from epoch to epoch

scikit-learn checks input, draws weights, splits, shuffles and labels, as it does for its own
estimators; each imports only from those below it.
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    message = "symgrad.sklearn needs scikit-learn: pip install 'symgrad[sklearn]'"
    raise ImportError(message) from error

from symgrad.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
