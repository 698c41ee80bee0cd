"""matlab: functions that MATLAB's genFunction writes of fitnet, patternnet and their like.

    xp = (x - xoffset)·gain + ymin                  mapminmax; mapstd with ymean; perhaps several
    a1 = tansig(b1 + IW1_1·xp)   a2 = softmax(b2 + LW2_1·a1)   …
    y = (aL - ymin)/gain + xoffset                  undone at the outputs, in the reverse order

A file is read statement by statement, by their forms; none is run, and one that is not understood
is refused with its line. Functions below the first one are known by their names, as `tansig_apply`,
and not read. Samples in rows or in columns, in cells or matrices, are all the same here. Rows that
removeconstantrows leaves out have the weight 0.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from symgrad.interop.activations import clipped
from symgrad.interop.affine import Affine, of_inputs, of_outputs
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Array, Layer, LossLike, Network, assemble
from symgrad.interop.source import name_of, number, unknown
from symgrad.interop.source import read as text_of
from symgrad.spec.formula import quoted

KIND = "function that MATLAB's genFunction writes"

_ACTIVATIONS: Mapping[str, str] = {
    "purelin": "identity",
    "tansig": "tanh",
    "logsig": "sigmoid",
    "softmax": "softmax",
    "poslin": "relu",
    "radbas": "gaussian",
    "elliotsig": "softsign",
    "satlin": clipped(0.0, 1.0),
    "satlins": clipped(-1.0, 1.0),
    "tribas": "relu(1 - abs(z))",
}

_PROCESSES = ("mapminmax", "mapstd", "removeconstantrows")

_REF = r"[A-Za-z]\w*(?:\{1,ts\})?"
_STEP = r"[xy]\d+_step\d+"
_HEADER = re.compile(r"function\s+\[?\s*(\w+)(?:\s*,\s*\w+)*\s*\]?\s*=\s*\w+\s*\(\s*(\w+)[\s,~]*\)")
_CONSTANT = re.compile(r"(\w+(?:\.\w+)?)\s*=\s*(\[.*\]|[+-]?[\d.][\w.+-]*)", re.S)
_SETTING = re.compile(rf"({_STEP})[._](\w+)")
_PROCESS = re.compile(rf"({_REF})=(\w+)_(apply|reverse)\(({_REF}),({_STEP})[^()]*\)")
_TRANSFER = re.compile(rf"({_REF})=(\w+)_apply\((.*)\)")
_INLINE: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(rf"({_REF})=2\./\(1\+exp\(-2\*\((.*)\)\)\)-1"), "tansig"),
    (re.compile(rf"({_REF})=1\./\(1\+exp\(-\((.*)\)\)\)"), "logsig"),
)
_WRITTEN_OUT: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(rf"({_REF})=bsxfun\(@plus,bsxfun\(@times,bsxfun\(@minus,({_REF}),({_STEP})[._]xoffset\),"
                rf"\3[._]gain\),\3[._]y(?:min|mean)\)"), "apply"),
    (re.compile(rf"({_REF})=bsxfun\(@plus,bsxfun\(@rdivide,bsxfun\(@minus,({_REF}),({_STEP})[._]y(?:min|mean)\),"
                rf"\3[._]gain\),\3[._]xoffset\)"), "reverse"),
)  # fmt: skip
_COPY = re.compile(rf"({_REF})=({_REF})('?)")
_SUM = re.compile(rf"({_REF})=(.*)")
_BIAS = re.compile(r"(?:repmat\((b\d+),1,(?:Q|size\(\w+,[12]\))\)|(b\d+))")
_PRODUCT = re.compile(rf"([IL]W\d+_\d+)\*({_REF})")

# What is around the network: cells, numbers of samples and steps, delays that there are none of.
_AROUND = re.compile(
    r"Q=size\(\w+(\{1\})?,[12]\)|Q=0|TS=size\(X,2\)|isCellX=iscell\(X\)|if~isCellX|X=\{X\}|end|else"
    r"|if~isempty\(X\)|Y=cell\(1,TS\)|forts=1:TS|[XA]f=cell\(\d+,0\)|Y=cell2mat\(Y\)"
)


@dataclass(frozen=True)
class _Flow:
    """What a variable holds: the output of a layer, 0 being the inputs, after some steps."""

    layer: int
    steps: tuple[tuple[str, str], ...] = ()  # of inputs mapminmax, …; of outputs their undoing


def read(
    path: str | os.PathLike[str], *, name: str | None = None, loss: LossLike | None = None
) -> Network:
    """The network in a function that genFunction has written, in float64. Raises InteropError."""
    reader, text = _Reader(), text_of(path, KIND)
    try:
        for line, statement in _statements(text):
            try:
                reader.take(statement)
            except InteropError as error:
                raise InteropError(f"line {line}: {error}") from error
        return reader.network(name_of(path, name), loss)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error


def recognised(start: str) -> bool:
    """Whether a file that begins so may be one."""
    return _HEADER.search(start) is not None


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements of the first function, each with its line; comments are left out."""
    if _HEADER.search(text) is None:
        raise InteropError(f"no {KIND}: there is no function with one argument first")
    statement, depth, begun, functions = "", 0, 1, 0
    text = re.sub(r"%[^\n]*", "", text)
    text = re.sub(r"\.\.\.[^\n]*\n", lambda m: " \x00", text)
    line = 1
    for character in f"{text}\n":
        if character in "\n\x00":
            line += 1
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        ends = character in ";\n," and depth == 0
        if not ends:
            if not statement.strip():
                begun = line
            statement += " " if character == "\x00" else character
            continue
        if statement := statement.strip():
            functions += bool(re.match(r"function\b", statement))
            if functions > 1:
                return
            yield begun, statement
        statement = ""


@dataclass
class _Reader:
    """What the statements so far have said."""

    output: str = ""
    constants: dict[str, Array] = field(default_factory=dict)
    steps: dict[str, dict[str, Array]] = field(default_factory=dict)
    flows: dict[str, _Flow] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    inputs: tuple[list[Affine], tuple[tuple[str, str], ...]] | None = None

    def take(self, statement: str) -> None:
        if header := _HEADER.fullmatch(statement):
            self.output, argument = header[1], header[2]
            self.flows = {argument: _Flow(0), f"{argument}{{1,ts}}": _Flow(0)}
            return
        if constant := _CONSTANT.fullmatch(statement):
            self.constant(constant[1], _matrix(constant[2], constant[1]))
            return
        compact = "".join(statement.split())
        if _AROUND.fullmatch(compact) or self.processed(compact) or self.copied(compact):
            return
        if transfer := _TRANSFER.fullmatch(compact):
            self.layer(transfer[1], transfer[2], transfer[3])
            return
        for form, activation in _INLINE:
            if found := form.fullmatch(compact):
                self.layer(found[1], activation, found[2])
                return
        if found := _SUM.fullmatch(compact):
            self.layer(found[1], "purelin", found[2])
            return
        raise InteropError(f"{quoted(statement)} is not understood")

    def constant(self, name: str, value: Array) -> None:
        if setting := _SETTING.fullmatch(name):
            self.steps.setdefault(setting[1], {})[setting[2]] = value.ravel()
        else:
            self.constants[name] = value

    def flow(self, name: str) -> _Flow:
        if name not in self.flows:
            raise InteropError(f"{name} is used before it is computed, or is an input of its own")
        return self.flows[name]

    def copied(self, statement: str) -> bool:
        """Another name for what is there; a transpose changes how samples lie, and no number."""
        found = _COPY.fullmatch(statement)
        if found is None or found[2] not in self.flows:
            return False
        self.flows[found[1]] = self.flows[found[2]]
        return True

    def processed(self, statement: str) -> bool:
        found = _PROCESS.fullmatch(statement)
        if found is not None:
            target, function, way, source, step = found.groups()
        else:
            written_out = [(form.fullmatch(statement), each) for form, each in _WRITTEN_OUT]
            matching = [(match, each) for match, each in written_out if match is not None]
            if not matching:
                return False
            (match, way), function = matching[0], "mapminmax"
            target, source, step = match.groups()
        if function not in _PROCESSES:
            raise unknown(f"the processing {function}", _PROCESSES)
        if step not in self.steps:
            raise InteropError(f"there are no settings {step}")
        flow = self.flow(source)
        if (way == "apply") != (flow.layer == 0):
            raise InteropError(f"{function}_{way} stands where it does not belong")
        self.flows[target] = _Flow(flow.layer, (*flow.steps, (function, step)))
        return True

    def layer(self, target: str, activation: str, body: str) -> None:
        if activation not in _ACTIVATIONS:
            raise unknown(f"the transfer function {activation}", _ACTIVATIONS)
        number = len(self.layers) + 1
        bias: Array | None = None
        parts: dict[int, Array] = {}
        for term in re.split(r"\+(?![^(]*\))", body):
            if found := _BIAS.fullmatch(term):
                bias = self.weights(found[1] or found[2]).ravel()
            elif found := _PRODUCT.fullmatch(term):
                flow = self.flow(found[2])
                if flow.layer in parts or (flow.layer and flow.steps):
                    raise InteropError(f"{quoted(term)} is not understood here")
                weight = self.weights(found[1])
                parts[flow.layer] = weight.T if flow.layer else self.of_inputs(weight.T, flow.steps)
            else:
                raise InteropError(
                    f"{quoted(term)} is not understood: a layer is b1 + IW1_1*x, and no more"
                )
        if not parts:
            raise InteropError(f"{quoted(f'{target}={body}')} is not understood")
        sources = tuple(sorted(parts))
        if len({part.shape[1] for part in parts.values()}) > 1:
            raise InteropError(f"the weights of layer {number} have different numbers of rows")
        self.layers.append(
            Layer(
                np.concatenate([parts[source] for source in sources]),
                bias,
                _ACTIVATIONS[activation],
                name=f"layer {number}",
                hint=activation,
                sources=None if sources == (number - 1,) else sources,
            )
        )
        self.flows[target] = _Flow(number)

    def weights(self, name: str) -> Array:
        if name not in self.constants:
            raise InteropError(f"there are no numbers {name}")
        return self.constants[name]

    def of_inputs(self, weight: Array, steps: tuple[tuple[str, str], ...]) -> Array:
        """The weights of all rows of x; what is done to these before the network is kept."""
        maps = [Affine()] * len(weight)
        for function, step in reversed(steps):
            if function == "removeconstantrows":
                kept, rows = self.kept(step, len(maps))
                wide = np.zeros((rows, weight.shape[1]))
                wide[kept] = weight
                place = dict(zip(kept, maps, strict=True))
                weight, maps = wide, [place.get(row, Affine()) for row in range(rows)]
            else:
                first = self.maps(step, len(maps))
                maps = [one.then(other) for one, other in zip(first, maps, strict=True)]
        if self.inputs is not None and self.inputs[1] != steps:
            raise InteropError("two layers take the inputs after different steps")
        self.inputs = maps, steps
        return weight

    def kept(self, step: str, count: int) -> tuple[list[int], int]:
        """The rows that removeconstantrows keeps, from 0, and how many there were."""
        settings = self.steps[step]
        kept = [int(row) - 1 for row in settings.get("keep", ())]
        removed = [int(row) - 1 for row in settings.get("remove", ())]
        rows = len(kept) + len(removed)
        if len(kept) != count or sorted(kept + removed) != list(range(rows)):
            raise InteropError(f"{step}: keep and remove should be the rows of x, each once")
        return kept, rows

    def maps(self, step: str, rows: int) -> list[Affine]:
        """(x - xoffset)·gain + ymin of each row."""
        settings = self.steps[step]
        after = settings.get("ymin", settings.get("ymean"))
        if after is None or "gain" not in settings or "xoffset" not in settings:
            raise InteropError(f"{step} should have xoffset, gain, and ymin or ymean")
        for key, values in (
            ("xoffset", settings["xoffset"]),
            ("gain", settings["gain"]),
            ("ymin", after),
        ):
            if len(values) not in (1, rows):
                raise InteropError(f"{step}.{key} should be {rows} numbers, not {len(values)}")
        columns = (
            np.broadcast_to(v, rows).tolist()
            for v in (settings["xoffset"], settings["gain"], after)
        )
        return [
            Affine().plus(-offset).times(gain).plus(low)
            for offset, gain, low in zip(*columns, strict=True)
        ]

    def network(self, name: str, loss: LossLike | None) -> Network:
        flow = self.flows.get(f"{self.output}{{1,ts}}", self.flows.get(self.output))
        if flow is None or flow.layer != len(self.layers) or self.inputs is None:
            raise InteropError(f"{self.output or 'the output'} should be what the last layer gives")
        units = self.layers[-1].weight.shape[1]
        maps = [Affine()] * units
        for function, step in flow.steps:
            if function == "removeconstantrows":
                if self.kept(step, units)[1] != units:
                    raise InteropError(
                        "an output was constant in training, and is put in behind the network:"
                        " leave it out of the targets"
                    )
                continue
            undone = [each.undone() for each in self.maps(step, units)]
            maps = [each.then(other) for each, other in zip(maps, undone, strict=True)]
        before = self.inputs[0]
        return assemble(self.layers, name, "float64", loss, of_inputs(before), of_outputs(maps))


def _matrix(text: str, name: str) -> Array:
    """[1 2;3 4], or a number; always of two dimensions."""
    rows = [
        [number(each, name) for each in row.replace(",", " ").split()]
        for row in re.split(r"[;\n]", text.strip("[]"))
        if row.strip()
    ]
    if len({len(row) for row in rows}) > 1:
        raise InteropError(f"the rows of {name} differ in length")
    return np.array(rows) if rows else np.zeros((0, 0))
