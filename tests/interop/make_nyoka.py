"""pmml_nyoka_two.pmml; pip install nyoka==5.5.0 scikit-learn==1.9.1 pandas."""

import numpy as np
import pandas as pd
from nyoka import skl_to_pmml
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(0)
x = pd.DataFrame(random.normal(size=(60, 3)) * [1, 5, 20] + [0, 1, 100], columns=list("abc"))
kind = np.where(x.a + x.b / 5 > 0, "yes", "no")
network = MLPClassifier((4,), "logistic", max_iter=40, random_state=0)
fitted = Pipeline([("scaler", StandardScaler()), ("network", network)]).fit(x, kind)
skl_to_pmml(fitted, list("abc"), "kind", "pmml_nyoka_two.pmml")
