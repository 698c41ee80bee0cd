"""Where things lie, whichever folder a test is in."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPECS = sorted((ROOT / "specs").glob("*.toml"))


def copy_generated(name: str, folder: Path) -> None:
    """Copies a committed module into a folder, and along with it the file that it imports."""
    for file in (ROOT / "generated" / f"{name}.py", *(ROOT / "generated").glob("_symgrad_*.py")):
        shutil.copy(file, folder)
