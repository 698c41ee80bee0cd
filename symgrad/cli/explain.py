"""`symgrad explain`: evidence, for one's own network, on why backpropagation."""

import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgrad.cli.options import Order, OrderOption, SpecArgument, TermOption
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.compiler import Compiled
    from symgrad.showing.pages.blocks import Section


def explain_command(
    spec: SpecArgument,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write all of it as one page for a browser."),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write every number as JSON."),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="KEYS",
            help="The sections wanted, separated by commas: expression, counts, proof, growth, "
            "literal, layerwise, gradient_free, answer.",
            show_default="all",
        ),
    ] = "",
    budget: Annotated[
        float, typer.Option(min=1.0, help="Seconds, for all that takes long.")
    ] = 180.0,
    against: Annotated[
        str,
        typer.Option(
            metavar="TOOLS",
            help="Count what these tools emit as well: wrenfold, casadi, symengine.",
        ),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=10, help="Starts of every method, with gradients and without.")
    ] = 10,
    order: OrderOption = Order.LOSS_FIRST,
    term: TermOption = None,
) -> None:
    """Explain why backpropagation, by what can be counted and measured for this network.

    Ctrl-C ends what is being measured; what is done so far is shown and written.
    """
    if not math.isfinite(budget):
        raise SymgradError("--budget: a number of seconds, not infinitely many")
    sections, tools = _listed(only, "--only"), _listed(against, "--against")
    _check_places(spec, html, json_file)

    done: list[Section] = []
    bar = _ProgressBar()
    with _catch_interrupts(bar) as stop:
        import symgrad
        from symgrad.explain.clock import Clock
        from symgrad.explain.drawing.terminal import new_console, show, show_head
        from symgrad.explain.explain import explain, not_begun, report

        compiled = symgrad.compile(spec, order=order.value).of_term(term)
        console = new_console()
        clock = Clock(budget, stop, bar.show)
        try:
            for section in explain(compiled, clock, only=sections, against=tools, seeds=seeds):
                bar.hide()
                if not done:
                    made = report(compiled, [])
                    show_head(made.name, made.facts, console)
                done.append(section)
                show(section, console, len(done))
        finally:  # whatever ends it, what is done is written
            bar.hide()
            if done:
                _write(compiled, done, sections, html, json_file)
            if stop.is_set() and (left := not_begun(sections, done)):
                typer.echo(f"not begun: {', '.join(left)}", err=True)
    if stop.is_set():
        raise typer.Exit(130)


def _write(
    compiled: "Compiled",
    done: "list[Section]",
    only: list[str],
    html: Path | None,
    json_file: Path | None,
) -> None:
    from symgrad.explain.explain import as_data, report
    from symgrad.showing.pages.page import page
    from symgrad.targets.write import write

    texts = {}
    if html is not None:
        texts[html] = page(report(compiled, done))
    if json_file is not None:
        numbers = json.dumps(as_data(compiled, done, only), indent=2, ensure_ascii=False)
        texts[json_file] = numbers + "\n"
    for place, text in texts.items():
        typer.echo(f"written: {write({place.name: text}, place.parent)[0]}")


def _listed(text: str, option: str) -> list[str]:
    """The parts of a list with commas; empty only where nothing was given."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if text and not parts:
        raise SymgradError(f"{option}: nothing is named in {text!r}")
    return parts


def _check_places(spec: Path, *places: Path | None) -> None:
    """Before anything long runs: files can be written there, and overwrite no spec."""
    wanted = [place for place in places if place is not None]
    for place in wanted:
        if place.is_dir():
            raise SymgradError(f"{place} is a folder; name the file to write")
        if place.exists() and not place.is_file():
            raise SymgradError(f"{place} is no ordinary file; name another one")
        if place.exists() and spec.exists() and place.samefile(spec):
            raise SymgradError(f"{place} is the spec itself; name another file")
        try:  # what a mode says is not the whole truth: write something
            place.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=place.parent):
                pass
        except OSError as error:
            raise SymgradError(f"{place} can't be written: {error.strerror}") from None
    if len({place.resolve() for place in wanted}) < len(wanted):
        raise SymgradError(f"{wanted[0]}: the page and the numbers need a file each")


@contextmanager
def _catch_interrupts(bar: "_ProgressBar") -> Iterator[Event]:
    """Ctrl-C sets the event, so that what is done is kept; a second one ends the process."""
    stop = Event()

    def on_interrupt(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        bar.hide()
        typer.echo("stopping; once more to leave at once", err=True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class _ProgressBar:
    """A bar on stderr, if that is a terminal; hidden while a section is shown."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
        self.bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self.task = self.bar.add_task("", total=1.0)

    def show(self, what: str, share: float) -> None:
        self.bar.start()
        self.bar.update(self.task, completed=share, description=what)

    def hide(self) -> None:
        self.bar.stop()
