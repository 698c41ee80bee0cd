"""The elementary functions of emitted modules, against mpmath over the whole range of both dtypes."""

import re
from math import inf, log, nan

import mpmath
import numba
import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader
from mpmath import mpf

from symgrad.compiler import elementary, emit
from symgrad.language.functions import SELU_ALPHA, SELU_SCALE, TABLE

DTYPES = ["float32", "float64"]
FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}  # of the functions that call them
DIGITS = 60

IN_TEMPLATE = re.findall(
    r'name (?:==|in) \(?((?:"\w+"(?:, )?)+)', (emit.templates() / "functions.py.jinja").read_text("utf-8")
)
IN_TEMPLATE = [name for each in IN_TEMPLATE for name in re.findall(r"\w+", each)]
