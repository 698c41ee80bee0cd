#!/bin/sh
# keras 3.15.1, numpy 2.4.6, then scipy 1.17.1 as well; Python 3.11.
#
# Keras has NumPy as a backend, for inference: KERAS_BACKEND=numpy. One would expect it to need NumPy. Importing Keras then
# imports SciPy, and after that jax, of which it takes Fourier transforms; Keras installs neither.
#
# Seen, and compared with what is printed now:
#> No module named 'scipy'
#> No module named 'jax'
set -eu
seen=$(sed -n 's/^#> //p' "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet keras==3.15.1 numpy==2.4.6

cat > numpy_backend.py <<'END'
import os

os.environ["KERAS_BACKEND"] = "numpy"
try:
    import keras

    print(keras.backend.backend())
except ModuleNotFoundError as error:
    print(error)
END
now=$(venv/bin/python numpy_backend.py)
venv/bin/pip install --quiet scipy==1.17.1
now="$now
$(venv/bin/python numpy_backend.py)"
echo "$now"
[ "$now" = "$seen" ] || { echo "changed; seen before:" && echo "$seen" && exit 1; } >&2
