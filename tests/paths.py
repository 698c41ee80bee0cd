"""Where things lie, whichever folder a test is in."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPECS = sorted((ROOT / "specs").glob("*.toml"))
# Those whose loss is one program, and no sum of terms.
OF_ONE_LOSS = [path for path in SPECS if "loss.terms" not in path.read_text("utf-8")]
# Of these, those whose loss is of outputs alone, and that ask for no other derivatives.
OF_OUTPUTS = [
    path
    for path in OF_ONE_LOSS
    if not any(word in path.read_text("utf-8") for word in ("D(", "derivatives ="))
]


def copy_generated(name: str, folder: Path) -> None:
    """Copies a committed module into a folder, and along with it the file that it imports."""
    for file in (ROOT / "generated" / f"{name}.py", *(ROOT / "generated").glob("_symgrad_*.py")):
        shutil.copy(file, folder)
