"""Figures and words as text, alike on the terminal and on the page."""

import math
from decimal import Decimal

from symgrad.axes import power
from symgrad.showing.pages.blocks import Cell, Table


def figure(value: Cell) -> str:
    """A cell as text: integers whole, other numbers with three digits, a dash for none."""
    if value is None or isinstance(value, str):
        return "–" if value is None else value
    if value != value:
        return "nan"
    if abs(value) == math.inf:
        return "∞" if value > 0 else "-∞"
    # a float is whole where it could be read as a count; a larger one is an order of magnitude
    if value == int(value) and abs(value) < (10**15 if isinstance(value, int) else 10**7):
        return f"{int(value):,}"
    rounded = Decimal(f"{Decimal(value):.2e}")
    exponent = rounded.adjusted()
    if -3 <= exponent < 6:
        return f"{Decimal(value):,.{max(2 - exponent, 0)}f}"
    return f"{rounded.scaleb(-exponent):.2f}×{power(exponent)}"


def pieces(text: str) -> list[tuple[str, bool]]:
    """The parts of a text, and whether each is code: what stands between backticks is."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # the last backtick has no partner, and stands for itself
        parts[-2:] = ["`".join(parts[-2:])]
    return [(part, index % 2 == 1) for index, part in enumerate(parts) if part]


def numeric(table: Table) -> list[bool]:
    """Which columns hold no text, but some figure."""
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    return [
        not any(isinstance(cell, str) for cell in column) and any(c is not None for c in column)
        for column in columns
    ]


def name(text: str, most: int = 40) -> str:
    """A user's text as a page may show it: in one line, all of it characters that can be seen, and
    not too long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
