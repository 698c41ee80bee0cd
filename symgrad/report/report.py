"""report: a run's folder → the sections of its page."""

from pathlib import Path
from typing import Any

from symgrad.report.classes import classes
from symgrad.report.importance import importance
from symgrad.report.judged import judge
from symgrad.report.numbers import numbers
from symgrad.report.trained import equations, facts, losses, what
from symgrad.showing.pages.blocks import Report
from symgrad.showing.pages.text import name
from symgrad.training.folder import read_record
from symgrad.training.module import gives_probabilities
from symgrad.training.run import Run


def report(folder: Path, data: Any = None) -> Report:
    """All there is to say of a run that has ended; `data` as in `judge`.

    Raises RunError for a folder that holds no such run, DataError for data that does not fit.
    """
    record = read_record(folder)
    run = Run.load(folder)
    judged = judge(run, record, data)
    trained = run.trained
    if trained.columns.labels is None:
        errors = numbers(judged, trained.outputs)
    else:
        errors = classes(run, judged, trained.columns.labels, gives_probabilities(trained.spec))
    sections = (
        what(run),
        losses(run),
        errors,
        importance(run, judged, record["spec"]["training"]["seed"]),
        equations(run),
    )
    return Report(name(str(folder), 200), facts(run, record), sections, done="trained")
