"""xml: a file of XML as a tree, with nothing in it that could grow or fetch.

The standard library's parser, without document types: where none are, there are no entities but
XML's own five, and nothing refers outside. Names are taken without their namespace.
"""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from symgrad.interop.errors import InteropError

# What reads a tree may call itself once a level.
DEEPEST = 100


def parse(content: bytes, kind: str) -> Element:
    """The root of the tree; `kind` is what messages call the file. Raises InteropError."""
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InteropError(f"elements lie {DEEPEST} deep; that is no {kind}")
        builder.start(tag.rpartition("}")[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.rpartition("}")[2])

    def document_type(*_: object) -> None:
        raise InteropError(
            "it has a document type (<!DOCTYPE …>), which could make it grow without"
            " bounds or fetch other files; take it out if the file is yours"
        )

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(content, True)
    except InteropError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding may be none
        raise InteropError(f"no {kind}, or damaged: {error}") from error
    return builder.close()


def text(element: Element) -> str:
    return (element.text or "").strip()
