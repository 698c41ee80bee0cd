"""render: writes the elementary functions of each precision as text, for object code, which is made
without templates. A test says when it is to be run again.

python coefficients/render.py
"""

from symgrad.targets.elementary import CALLS, OF_DOUBLES, ULP, with_callees
from symgrad.targets.numba.emit import elementary_text
from symgrad.targets.rendered import FOLDER, OF_STEPS, name_of

# Those that are no approximations, and call nothing.
PLAIN = (
    "square", "power", "relu", "heaviside", "sign", "leaky_relu", "leaky_step", "elu_slope",
    "selu_slope", "softsign", "nonpositive", "times", "huber", "clip", "maximum", "minimum",
    "xdivy",
)  # fmt: skip


def rendered() -> dict[str, str]:
    """The texts by the names of their files."""
    own = {*CALLS, *ULP, *PLAIN} - {*OF_DOUBLES[-3:]}
    names = tuple(with_callees(own))
    texts = {name_of(single): elementary_text(names, single) for single in (True, False)}
    return texts | {OF_STEPS: elementary_text(OF_DOUBLES, False, bounded=True)}


if __name__ == "__main__":
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        print(FOLDER / name)
