"""install: the peers that pyproject.toml names under [bench], each on its own.

A peer that cannot be installed here is said to be missing, and the others are measured.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["optional-dependencies"]["bench"]:
        if subprocess.run([*PIP, requirement]).returncode:
            print(f"missing: {requirement}")


if __name__ == "__main__":
    main()
