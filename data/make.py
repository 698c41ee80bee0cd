"""Makes the data files of this folder again, byte for byte: `python data/make.py`.

`xor.csv` and `spirals.csv` come from formulas and need Python alone. `iris.csv` and `digits.npz`
are copied out of scikit-learn, which ships both; without it they are left as they are.
Sources and licences: README.md beside this file.
"""

import csv
import math
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def write_csv(name: str, header: list[str], rows: list[list[object]]) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    print(f"{name}: {len(rows)} rows")


def make_xor() -> None:
    """The exclusive or: the smallest problem that no network without a hidden layer can solve."""
    write_csv("xor.csv", ["x1", "x2", "t"], [[p, q, p ^ q] for p in (0, 1) for q in (0, 1)])


def make_spirals() -> None:
    """Two interlocked spirals of 97 points and three turns each (Lang and Witbrock, 1988).

    Point i of the first lies at angle iπ/16 and radius 6.5 (104 − i)/104, measured clockwise
    from the y axis; the second spiral is the first turned by half a turn.
    """
    rows: list[list[object]] = []
    for i in range(97):
        angle, radius = i * math.pi / 16, 6.5 * (104 - i) / 104
        x, y = round(radius * math.sin(angle), 5), round(radius * math.cos(angle), 5)
        # Adding zero makes 0.0 of −0.0.
        rows.append([x + 0.0, y + 0.0, 1])
        rows.append([-x + 0.0, -y + 0.0, 0])
    write_csv("spirals.csv", ["x", "y", "spiral"], rows)


def make_iris(datasets) -> None:
    """150 flowers of three species, with four lengths each in cm."""
    iris = datasets.load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    rows = [
        [*map(float, lengths), str(iris.target_names[species])]
        for lengths, species in zip(iris.data, iris.target, strict=True)
    ]
    write_csv("iris.csv", header, rows)


def make_digits(datasets) -> None:
    """1,797 handwritten digits of 8 × 8 grey values from 0 to 16."""
    import numpy as np

    digits = datasets.load_digits()
    x, t = digits.data.astype(np.uint8), digits.target.astype(np.int64)
    assert (x == digits.data).all() and x.shape == (1797, 64) and x.max() == 16
    np.savez_compressed(FOLDER / "digits.npz", x=x, t=t)
    print(f"digits.npz: x {x.shape} {x.dtype}, t {t.shape} {t.dtype}")


if __name__ == "__main__":
    make_xor()
    make_spirals()
    try:
        from sklearn import datasets
    except ImportError:
        print("iris.csv, digits.npz: left as they are (made from scikit-learn, not installed here)")
    else:
        make_iris(datasets)
        make_digits(datasets)
