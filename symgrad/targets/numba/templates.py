"""templates: where the Jinja2 templates lie."""

from pathlib import Path


def templates() -> Path:
    """The folder of the templates: in the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent.parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"
