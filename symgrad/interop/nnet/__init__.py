"""Files `.nnet`, which verifiers of networks read, in and out.

nnet.read("acas.nnet")               Network
nnet.write(network or run, "x.nnet")

reading.py      lines → layers of relu, and what is cut and scaled
writing.py      a network of relu, or a run, as lines
"""

from symgrad.interop.nnet.reading import read
from symgrad.interop.nnet.writing import is_own, write

__all__ = ["is_own", "read", "write"]
