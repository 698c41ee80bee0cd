"""named: how many inputs and outputs a spec has, as plain data, and what they are called where they
have names."""

# Messages and docstrings show so many names.
NAMES_SHOWN = 12


def inputs_of(spec):
    """How many inputs there are: a spec has their number, or their names."""
    given = spec["inputs"]
    return given if isinstance(given, int) else len(given)


def outputs_of(spec):
    return spec["layers"][-1]["units"]


def terms_of(spec):
    """The names of a loss's terms, each of which has data of its own, x_NAME; none where the loss
    is of one kind or formula."""
    return [term["name"] for term in spec["loss"].get("terms", ())]


def columns_of(spec):
    """The names of the columns of x and of t, as far as they have any; also of each term's."""
    named = {"x": spec["inputs"], "t": spec["layers"][-1].get("names")}
    for term in terms_of(spec):
        named |= {f"x_{term}": named["x"], f"t_{term}": named["t"]}
    return {array: names for array, names in named.items() if isinstance(names, (list, tuple))}


def called_columns(names):
    """What a message adds about an array whose columns have names."""
    return f"; its columns are {listed_names(names)}" if names else ""


def listed_names(names):
    """Names for people, the first of them where there are many."""
    more = ", …" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
