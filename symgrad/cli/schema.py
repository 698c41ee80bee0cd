"""`symgrad schema`: the spec file's format, for editors and other programs."""

import json

import typer


def schema_command() -> None:
    """Print the JSON Schema of spec files."""
    from symgrad.spec.spec import Spec

    typer.echo(json.dumps(Spec.json_schema(), indent=2, ensure_ascii=False))
