"""What scikit-learn itself asks of an estimator, and of its MLPs: every check, no exception."""

import pytest
from sklearn.neural_network.tests import test_mlp
from sklearn.utils.estimator_checks import check_estimator

import symgrad.sklearn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]

# It calls a private method of scikit-learn's, which is scikit-learn's own code still.
PRIVATE = {"test_gradient"}


@pytest.mark.parametrize("name", symgrad.sklearn.__all__)
def test_every_check_of_an_estimator(name):
    results = check_estimator(getattr(symgrad.sklearn, name)())
    assert len(results) > 50
    statuses = {result["status"] for result in results}
    assert statuses <= {"passed", "skipped"}
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert skipped <= {  # those that scikit-learn's own skip as well
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    }


def test_scikit_learns_tests_of_its_own(monkeypatch, tmp_path):
    """The file of tests that scikit-learn is installed with, run on the estimators here."""

    class InTheirPlace:
        def pytest_collection_modifyitems(self, items):
            for item in items:
                for name in symgrad.sklearn.__all__:
                    monkeypatch.setattr(item.module, name, getattr(symgrad.sklearn, name))
            items[:] = [item for item in items if item.originalname not in PRIVATE]
            assert len(items) > 50

    monkeypatch.chdir(tmp_path)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "/dev/null"]
    assert pytest.main([test_mlp.__file__, *options], plugins=[InTheirPlace()]) == 0
