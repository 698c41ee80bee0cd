"""Data from files, frames and arrays: read for a network, split, and scaled.

    source ──from_csv, from_arrow, from_frame, from_arrays──▶ Table
    Table ──read, read_to_predict──▶ Samples ──holdout, folds──▶ row numbers
                                Samples ──fit_scaling──▶ Scaling

A `Table` knows its columns and where they stand; `read` decides, by a `Selection`, which of them
are inputs, targets and weights, what becomes of missing values, and how words become numbers.
"""

from symgrad.training.data.files import files_of
from symgrad.training.data.read import read, read_to_predict
from symgrad.training.data.samples import Samples
from symgrad.training.data.scaling import fit_scaling
from symgrad.training.data.selection import Selection
from symgrad.training.data.split import folds, holdout

__all__ = [
    "Samples", "Selection", "files_of", "fit_scaling", "folds", "holdout", "read",
    "read_to_predict",
]  # fmt: skip
