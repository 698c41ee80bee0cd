"""Names in the files that are written: of tensors, and of what is noted beside the graph."""

INPUT, OUTPUT, LABEL = "x", "y", "label"

PRODUCER = "symgrad"

# Keys of a model's metadata; each value is JSON.
SPEC = "symgrad.spec"  # the spec that was written
INPUTS = "symgrad.inputs"  # the names of a trained network's inputs
OUTPUTS = "symgrad.outputs"  # and of its outputs
LABELS = "symgrad.labels"  # the classes in the order of the outputs
