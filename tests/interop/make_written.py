"""written.json: what Marabou and PMML4S say of clipped.nnet and clipped.pmml, which symgrad wrote.

    pip install pypmml==1.5.8 maraboupy==2.0.0        (PMML4S is Java: 17 was taken)
    python tests/interop/make_written.py

The samples lie within the ends at which inputs are cut, for Marabou does not cut.
"""

import json
from pathlib import Path

import numpy as np
from maraboupy import Marabou
from pypmml import Model

here = Path(__file__).parent / "far"
x = np.array([[0.5, -1.0, 0.25], [-0.75, 1.5, 0.875], [0.0, 0.0, 0.5]])
model = Model.fromFile(str(here / "clipped.pmml"))
network = Marabou.read_nnet(str(here / "clipped.nnet"), normalize=True)
rows = [model.predict({f"x{k}": float(value) for k, value in enumerate(row)}) for row in x]
said = {
    "x": x.tolist(),
    "pmml": [[row["predicted(y0)"], row["predicted(y1)"]] for row in rows],
    "nnet": [np.ravel(network.evaluateWithMarabou([row.copy()])).tolist() for row in x],
}
(here / "written.json").write_text(json.dumps(said, indent=1) + "\n")
