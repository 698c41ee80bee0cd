"""words: what PMML calls things, and what they are here."""

from collections.abc import Mapping

KIND = "PMML file"
VERSION, NAMESPACE = "4.4", "http://www.dmg.org/PMML-4_4"
APPLICATION = "symgrad"

# Of activationFunction; threshold jumps, and radialBasis is of a distance.
ACTIVATIONS: Mapping[str, str] = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "rectifier": "relu",
    "Elliott": "softsign",
    "Gauss": "gaussian",
    "sine": "sin",
    "cosine": "cos(z)",
    "exponential": "exp(z)",
    "reciprocal": "1/z",
    "square": "z**2",
    "arctan": "2*atan(z)/3.141592653589793",
}

# Of normalizationMethod, after the activation.
NORMALIZATIONS: Mapping[str, str | None] = {
    "none": None,
    "softmax": "softmax",
    "simplemax": "z/sum(z)",
}
