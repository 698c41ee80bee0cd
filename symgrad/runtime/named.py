"""named: how many inputs and outputs a spec has, as plain data, and what they are called where they
have names."""

# Messages and docstrings show so many names.
NAMES_SHOWN = 12


def given_inputs(spec):
    """How many inputs there are, or their names; a spec may have a table with more of them."""
    given = spec["inputs"]
    return given.get("names", given.get("count")) if isinstance(given, dict) else given


def inputs_of(spec):
    """How many inputs there are: a spec has their number, or their names."""
    given = given_inputs(spec)
    return given if isinstance(given, int) else len(given)


def outputs_of(spec):
    return spec["layers"][-1]["units"]


def targets_of(spec, term=None):
    """How many targets a sample has, of the loss or of one of its terms: as many as outputs, if
    nothing else is said."""
    given = _described(spec, term).get("targets", outputs_of(spec))
    return given if isinstance(given, int) else len(given)


def _described(spec, term):
    loss = spec["loss"]
    return loss if term is None else next(t for t in loss["terms"] if t["name"] == term)


def terms_of(spec):
    """The names of a loss's terms, each of which has data of its own, x_NAME; none where the loss
    is of one kind or formula, or terms are of some outputs and have their samples in common."""
    terms = spec["loss"].get("terms", ())
    return [term["name"] for term in terms if "outputs" not in term]


def columns_of(spec):
    """The names of the columns of x, t and y, as far as they have any; also of each term's."""
    outputs = spec["layers"][-1].get("names")
    named = {"x": given_inputs(spec), "t": spec["loss"].get("targets", outputs), "y": outputs}
    for term in terms_of(spec):
        targets = _described(spec, term).get("targets", outputs)
        named |= {f"x_{term}": given_inputs(spec), f"t_{term}": targets}
    return {array: names for array, names in named.items() if isinstance(names, (list, tuple))}


def called_columns(names):
    """What a message adds about an array whose columns have names."""
    return f"; its columns are {listed_names(names)}" if names else ""


def listed_names(names):
    """Names for people, the first of them where there are many."""
    more = ", …" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
