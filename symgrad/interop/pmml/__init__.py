"""PMML's NeuralNetwork in and out.

pmml.read("net.pmml")                Network
pmml.write(network or run, "net.pmml")

reading.py      elements → layers, one neuron after the other
fields.py       what is done to a field before it is an input, and behind outputs
writing.py      a network, or a run, as PMML 4.4
words.py        what PMML calls activations
"""

from symgrad.interop.pmml.reading import read, recognised
from symgrad.interop.pmml.writing import is_own, write

__all__ = ["is_own", "read", "recognised", "write"]
