"""r_values: values from the text that R's `dput` writes. Nothing in it is run.

    value ::= c(value, …) | list(name = value, …) | structure(value, attribute = value, …)
            | number | number:number | "text" | TRUE | FALSE | NULL | NA

A vector is a list, a list with names a dict. Attributes are left aside but for the class. What is
no value, as a call or a formula, is passed over where its name is not asked for.
"""

import math
import re
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from symgrad.interop.errors import InteropError
from symgrad.spec.formula import quoted

# How deep calls may lie in each other.
DEEPEST = 50

# How many numbers a range may stand for.
LONGEST = 1 << 12

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(?:
        (?P<number>(?:0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?
                   |(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)L?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<name>`(?:[^`\\]|\\.)*`|[A-Za-z.][\w.]*)
      | (?P<sign><-|[^\w\s])
      | (?P<end>\Z)
    )""",
    re.X | re.S,
)
_MISSING = ("NULL", "NA", "NA_integer_", "NA_real_", "NA_character_")
_WORDS: Mapping[str, Any] = {
    "TRUE": True,
    "FALSE": False,
    "Inf": math.inf,
    "NaN": math.nan,
    **dict.fromkeys(_MISSING),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}
_OPEN, _CLOSED = "([{", ")]}"


class Named(NamedTuple):
    """A list with names, and its class."""

    values: dict[str, Any]
    classes: tuple[str, ...]


def read(text: str, wanted: Container[str]) -> Named:
    """The list that `text` is, with those of its entries that are wanted. Raises InteropError."""
    parser = _Parser(text, wanted)
    value = parser.value(0)
    parser.expect("end", "")
    return (
        value if isinstance(value, Named) else Named(value if isinstance(value, dict) else {}, ())
    )


class _Parser:
    def __init__(self, text: str, wanted: Container[str]) -> None:
        self.text, self.wanted = text, wanted
        self.end = 0
        self.advance()

    def advance(self) -> None:
        self.start = self.end
        found = _TOKEN.match(self.text, self.end)
        if found is None:
            raise self.refusal("it is not understood")
        self.kind = str(found.lastgroup)
        self.token = found[self.kind]
        self.end = found.end()

    def refusal(self, said: str) -> InteropError:
        line = self.text.count("\n", 0, self.start) + 1
        near = " ".join(self.text[self.start : self.start + 40].split())
        return InteropError(f"line {line}, at {quoted(near)}: {said}")

    def expect(self, kind: str, token: str) -> None:
        if (self.kind, self.token) != (kind, token):
            raise self.refusal(f"{quoted(token)} should stand here" if token else "this should end")
        if kind != "end":
            self.advance()

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise self.refusal(f"calls lie more than {DEEPEST} deep")
        if self.kind == "sign" and self.token in "+-":
            return self.signed()
        kind, token = self.kind, self.token
        if kind == "number":
            return self.number()
        if kind == "text":
            self.advance()
            return _unquoted(token)
        if kind == "name" and token in _WORDS:
            self.advance()
            return _WORDS[token]
        if kind == "name" and token in ("c", "list", "structure"):
            self.advance()
            return self.call(token, depth)
        raise self.refusal("no value of numbers or text")

    def signed(self) -> Any:
        sign = -1.0 if self.token == "-" else 1.0
        self.advance()
        if self.kind != "number" and self.token not in ("Inf", "NaN"):
            raise self.refusal("a number should stand here")
        value = self.number() if self.kind == "number" else self.value(0)
        if isinstance(value, list):
            raise self.refusal("ranges from a negative number are not understood")
        return sign * value

    def number(self) -> Any:
        first = _number(self.token)
        self.advance()
        if self.token != ":" or self.kind != "sign":
            return first
        self.advance()
        if self.kind != "number" or not 0 <= (last := _number(self.token)) - first < LONGEST:
            raise self.refusal("a range goes up from one number to another")
        self.advance()
        return [first + step for step in range(int(last - first) + 1)]

    def call(self, function: str, depth: int) -> Any:
        self.expect("sign", "(")
        positional: list[Any] = []
        named: dict[str, Any] = {}
        while not (self.kind == "sign" and self.token == ")"):
            name = self.name()
            if name is None:
                positional.append(self.value(depth + 1))
            elif function == "c" or (function == "list" and name in self.wanted) or name == "class":
                named[name] = self.value(depth + 1)
            else:
                self.skip()
            if not (self.kind == "sign" and self.token == ")"):
                self.expect("sign", ",")
        self.advance()
        if function == "c":
            return [*positional, *named.values()]
        if function == "list":
            return named
        inner = positional[0] if positional else {}
        classes = named.get("class", [])
        classes = tuple(classes) if isinstance(classes, list) else (classes,)
        return Named(inner, classes) if isinstance(inner, dict) else inner

    def name(self) -> str | None:
        """That of an argument, if it has one."""
        if self.kind not in ("name", "text") or self.token in _WORDS:
            return None
        before = self.start, self.end, self.kind, self.token
        self.advance()
        if self.kind == "sign" and self.token == "=":
            self.advance()
            return _unquoted(before[3]) if before[3][0] in "\"'`" else before[3]
        self.start, self.end, self.kind, self.token = before
        return None

    def skip(self) -> None:
        """Past an argument whatever it is, to the comma or parenthesis that ends it."""
        depth = 0
        while depth or self.kind != "sign" or self.token not in ",)":
            if self.kind == "end":
                raise self.refusal("it ends within a call")
            if self.kind == "sign":
                depth += (self.token in _OPEN) - (self.token in _CLOSED)
            self.advance()


def _number(token: str) -> float:
    token = token.removesuffix("L")
    try:
        return float.fromhex(token) if token[:2] in ("0x", "0X") else float(token)
    except OverflowError:
        return math.inf


def _unquoted(token: str) -> str:
    """A string, whose escapes of one letter are undone; \\u and \\x are not."""
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), token[1:-1], flags=re.S)
