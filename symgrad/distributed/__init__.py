"""Losses and gradients of data that lies in several places, with the bits that it has in one.

whole.py        what they all give: loss_and_gradient(theta) of all samples
tree.py         which subtrees of the tree over leaves a range has, and how their sums are added
sources.py      samples in memory, in NPY files, in Parquet files
out_of_core.py  read one part after the other
joblib.py       computed by processes or threads of joblib's
dask.py         computed by workers of Dask's
mpi.py          computed by ranks of MPI's
"""
