"""Networks in and out: weights and layers from other libraries, and for them.

    from symgrad.interop import onnx, torch, keras, sklearn      each imports its library when used

    onnx.read("net.onnx")              Network      onnx.write(network or run, "net.onnx")
    torch.read(module)                 Network      torch.sequential(network)
    torch.load(spec, state_dict)       theta        torch.state_dict(spec, theta)
    keras.read(model)                  Network
    keras.load(spec, model)            theta        keras.store(spec, theta, model)
    sklearn.read(estimator)            Network      sklearn.estimator(network)

    reading.read_file("net.pmml")      Network, of any file; of older tools also one by one:
    pmml.read, matlab.read, r_nnet.read, opencv.read, nnet.read, fann.read, lwtnn.read
    pmml.write(network or run, path)   nnet.write(network or run, path)

Everything meets in `Network`, a spec and its flat weights. Below each file stand those that it
imports from.

    reading.py      a network from a file of any form; files.py: as NAME.json and NAME.npz
    onnx/           files of ONNX; torch.py, keras.py, sklearn.py: a library each
    keras_files.py  files of Keras's; tensors.py: of weights alone
    keras_maps.py   Keras's affine maps; sklearn_steps.py: scikit-learn's, and what is around
    formats.py      files of older tools, told apart
    pmml/, nnet/    files of PMML, and files .nnet, in and out
    matlab.py       MATLAB's genFunction; r_nnet.py, opencv.py, fann.py, lwtnn.py: a tool each
    units.py        networks that are written unit by unit, brought into layers
    around.py       a network, or a run, with what is done to columns before and after it
    affine.py       what is done to columns, as a spec's scaling has it
    r_values.py     values as R writes them; xml.py: trees of XML
    source.py       the text of files, numbers, and names
    state_dict.py   PyTorch's state dicts: which layer is which
    folding.py      a spec's scaling, put into weights
    chain.py        layers one after the other, as PyTorch and Keras have them
    network.py      spec and theta; between theta and the arrays of layers
    activations.py  activations as formulas, and which of these have a name here
    agreement.py    whether two formulas are one function
    sklearn_names.py  what scikit-learn calls activations
    numeric.py      formulas as numbers; text.py: as text
    errors.py       what is raised; packages that may be missing
"""

from typing import TYPE_CHECKING, Any

from symgrad.interop.errors import InteropError

if TYPE_CHECKING:
    from symgrad.interop.network import Network

__all__ = ["InteropError", "Network"]


def __getattr__(name: str) -> Any:
    """What needs SymPy is imported when it is asked for."""
    if name != "Network":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from symgrad.interop.network import Network

    return Network
