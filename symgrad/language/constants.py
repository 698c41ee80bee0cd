"""Constants of activations, exactly: here, too, for what computes with them without SymPy."""

from fractions import Fraction

# Those of self-normalising networks (Klambauer et al. 2017, arXiv:1706.02515).
SELU_SCALE = Fraction("1.0507009873554804934193349852946")
SELU_ALPHA = Fraction("1.6732632423543772848170429916717")
