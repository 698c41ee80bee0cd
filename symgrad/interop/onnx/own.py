"""Files that symgrad has written: recognised by writing them once more.

A file holds the spec that it was written from, as text. That text is not believed: the network that
it describes, with the weights in the file, is written again, and only if the very same model comes
out is it the network in the file. An edited graph is read like any other.
"""

import json
from typing import Any

from symgrad.errors import SpecError
from symgrad.interop.errors import InteropError
from symgrad.interop.network import Network, join
from symgrad.interop.onnx.classes import noted
from symgrad.interop.onnx.constants import tensor
from symgrad.interop.onnx.names import PRODUCER, SPEC
from symgrad.spec.limits import FILE_BYTES
from symgrad.spec.spec import Spec


def own(model: Any) -> Network | None:
    """The network that a model was written from; None if it is not as symgrad writes it."""
    from symgrad.interop.onnx.writing import model_of

    texts = [each.value for each in model.metadata_props if each.key == SPEC]
    if model.producer_name != PRODUCER or len(texts) != 1 or len(texts[0]) > FILE_BYTES:
        return None
    arrays = {each.name: each for each in model.graph.initializer}
    try:
        spec = Spec.parse(json.loads(texts[0]))
        network = Network(
            spec,
            join(
                spec,
                [
                    (
                        tensor(arrays[f"W{number}"], f"W{number}"),
                        tensor(arrays[f"b{number}"], f"b{number}") if layer.bias else None,
                    )
                    for number, layer in enumerate(spec.layers, start=1)
                ],
            ),
            noted(model) or None,
        )
        again = model_of(network)
    except (ValueError, KeyError, RecursionError, SpecError, InteropError):
        return None
    return network if again == model else None
