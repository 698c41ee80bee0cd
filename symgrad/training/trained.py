"""What training leaves behind: weights, and all that new data needs to meet them.

One NPZ file, `weights.npz`, holds it: arrays of numbers, and JSON text. Loading it runs no code.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

from symgrad.errors import DataError
from symgrad.npz import read_npz
from symgrad.training.module import Array, output_names, outputs

# A class as the data names it: what goes in as an integer comes out as one.
Label: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Columns:
    """Which columns of a table mean what, by name, as training found them.

    `labels` are the classes in the order of the outputs, when the targets are classes; two for a
    network with one output, which stands for the second. `weight` is the column of sample weights.
    `categories` has the levels of those inputs that are such; `separator` and `decimal` are how the
    data's text was written, where not as CSV files mostly are.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    weight: str | None = None
    labels: tuple[Label, ...] | None = None
    categories: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)
    separator: str | None = None
    decimal: str | None = None

    @property
    def network_inputs(self) -> tuple[str, ...]:
        """What the network's inputs are called: one a column, but for a category one a level."""
        return tuple(
            each
            for name in self.inputs
            for each in (
                [f"{name}={level}" for level in self.categories[name]]
                if name in self.categories
                else [name]
            )
        )

    def as_data(self) -> dict[str, Any]:
        """As plain data, without what most runs have no use for."""
        data = asdict(self)
        unused = [name for name in ("categories", "separator", "decimal") if not data[name]]
        return {name: value for name, value in data.items() if name not in unused}


@dataclass(frozen=True)
class Scaling:
    """How numbers in raw units become the network's, and back.

    Inputs go in as (x − mean)/scale, `mean` and `scale` of shape (inputs,); the output comes out as
    y·target_scale + target_mean, of shape (outputs,). `fill`, of shape (inputs,), is put in for
    missing inputs, in raw units; None where these are refused.
    """

    mean: Array
    scale: Array
    target_mean: Array
    target_scale: Array
    fill: Array | None = None

    def inputs(self, x: Array) -> Array:
        """Inputs in raw units, of shape (samples, inputs), as the network takes them; float64."""
        if self.fill is not None:
            x = np.where(np.isnan(x), self.fill, x)
        return (x - self.mean) / self.scale

    def targets(self, t: Array) -> Array:
        """Targets in raw units, of shape (samples, outputs), as the network takes them."""
        return (t - self.target_mean) / self.target_scale

    def outputs(self, y: Array) -> Array:
        """The network's output, of shape (samples, outputs), in raw units; float64."""
        return y.astype(np.float64) * self.target_scale + self.target_mean


@dataclass(frozen=True)
class Trained:
    """A spec (normalised, as plain data), its trained weights of shape (weights,) in the spec's
    dtype, and what stands between raw data and the network. `run` is the id of the run that they
    came out of, None if that was of a version before there were ids."""

    spec: Mapping[str, Any]
    theta: Array
    columns: Columns
    scaling: Scaling
    run: str | None = None

    def arrays(self, parameters: Mapping[str, tuple[int, tuple[int, ...]]]) -> dict[str, Array]:
        """What the file holds; `parameters` as a module's PARAMETERS."""
        scaling = self.scaling
        filled = {} if scaling.fill is None else {"fill": scaling.fill}
        return {
            "theta": self.theta,
            **{
                name: self.theta[offset : offset + math.prod(shape)].reshape(shape)
                for name, (offset, shape) in parameters.items()
            },
            "mean": scaling.mean,
            "scale": scaling.scale,
            "target_mean": scaling.target_mean,
            "target_scale": scaling.target_scale,
            **filled,
            "columns": np.array(json.dumps(self.columns.as_data())),
            "spec": np.array(json.dumps(self.spec, sort_keys=True)),
            **({} if self.run is None else {"run": np.array(self.run)}),
        }

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the outputs are called: as in the spec, or as the targets in the data."""
        if (named := output_names(self.spec)) is not None:
            return named
        columns, count = self.columns, outputs(self.spec)
        if columns.labels is not None or len(columns.targets) == count:
            return columns.targets
        return tuple(f"y[{k}]" for k in range(count))  # targets are others

    @classmethod
    def load(cls, path: str | Path) -> "Trained":
        """Reads a weights file; raises DataError if it is none."""
        path = Path(path)
        try:
            arrays = read_npz(path)
            spec = json.loads(str(arrays["spec"]))
            if not isinstance(spec, dict):
                raise DataError("its spec is no table")
            run = arrays.get("run")
            return cls(
                spec,
                arrays["theta"],
                TypeAdapter(Columns).validate_json(str(arrays["columns"])),
                Scaling(
                    arrays["mean"],
                    arrays["scale"],
                    arrays["target_mean"],
                    arrays["target_scale"],
                    arrays.get("fill"),
                ),
                None if run is None else str(run),
            )
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        except KeyError as error:
            reason = f"there is no {error}"
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, ("its columns", *first["loc"])))
            reason = f"{place}: {first['msg']}"
        except (ValueError, RecursionError) as error:
            reason = str(error).removeprefix(f"{path}: ")
        raise DataError(
            f"{path}: no weights file of symgrad's, or damaged ({reason}); train again, or bring"
            " the file back"
        )
