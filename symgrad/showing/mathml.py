"""Equations as MathML, which browsers typeset without scripts or fonts of ours.

It is built as a tree of elements, checked to be plain MathML, and written from that tree, so that
nothing in an equation can be read as markup.
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml import exceptions
from latex2mathml.converter import convert

# What an equation may consist of, and of how many children each takes; None is any number.
_ELEMENTS = {
    "math": None, "mrow": None, "mstyle": None, "msqrt": None,
    "mi": 0, "mn": 0, "mo": 0, "mtext": 0, "mspace": 0,
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2,
    "msubsup": 3, "munderover": 3,
}  # fmt: skip
_ATTRIBUTES = {
    "display", "fence", "form", "lspace", "mathvariant", "movablelimits", "rspace", "stretchy",
    "width",
}  # fmt: skip

# What the conversion ends with if it can't: the converter's own faults, or no more tokens.
_FAULTS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(exceptions).values() if isinstance(kind, type)),
    StopIteration,
    ElementTree.ParseError,
)
_THIN = "0.167em"


def mathml(latex: str) -> str | None:
    """LaTeX as MathML to be displayed; None if it can't be converted, or not into plain MathML."""
    root = math(latex)
    return None if root is None else ElementTree.tostring(root, encoding="unicode")


def math(latex: str) -> Element | None:
    """The same as a tree of elements."""
    try:
        root = ElementTree.fromstring(convert(latex, xmlns="", display="block"))
    except _FAULTS:
        return None
    if not all(map(_plain, root.iter())):
        return None
    for parent in list(root.iter()):
        _dress(parent)
    return root


def _plain(element: Element) -> bool:
    """Whether it is plain MathML: the converter lets HTML pass, and commands it doesn't know."""
    children = _ELEMENTS.get(element.tag, -1)
    return (
        (children is None or children == len(element))
        and _ATTRIBUTES.issuperset(element.keys())
        and "\\" not in (element.text or "")
    )


def _dress(parent: Element) -> None:
    """Spaces and limits as TeX sets them, where the converter leaves them to the browser."""
    children = list(parent)
    if parent.tag == "msub" and children[0].text in ("max", "∑"):
        parent.tag = "munder"
        children[0].set("movablelimits", "true")
    bars = [child for child in children if child.text == "|"]
    for index, bar in enumerate(bars):  # the browser can't tell which begin and which end
        bar.set("form", "postfix" if index % 2 else "prefix")
    for index, child in enumerate(children):
        if child.tag == "mo" and not child.get("fence"):
            before = children[index - 1] if index else None
            _dress_sign(child, before, following=children[index + 1 : index + 2])


def _dress_sign(sign: Element, before: Element | None, following: list[Element]) -> None:
    text = sign.text or ""
    begins = before is None or (
        before.tag == "mo" and before.get("form") != "postfix" and before.text != ")"
    )
    if text.isalpha() and len(text) > 1:  # a function, or a word of a name
        applied = any(len(each) > 0 and each[0].get("fence") for each in following)
        touches = begins or (before is not None and before.tag == "mspace")
        sign.set("lspace", "0" if touches else _THIN)
        sign.set("rspace", "0" if applied else _THIN)
    elif text in ("−", "+") and begins:
        sign.set("form", "prefix")
