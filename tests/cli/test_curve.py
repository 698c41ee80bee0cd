"""The losses on the terminal: where their dots lie, and what is left of them in the end."""

import io
import json
import os
import re
import signal
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from symgrad.cli.curve import LossCurve, can_draw, drawn
from symgrad.training.checkpoint import Epoch
from symgrad.training.curve import Curve
from tests.trainings import PLANE, plane_csv, text

pty = pytest.importorskip("pty")


def shown(series, width=60, height=8):
    return ["".join(part.text for part in line) for line in drawn(series, width, height)]


def falling(count):
    return tuple((n, 10.0 ** (-3 * (n - 1) / (count - 1))) for n in range(1, count + 1))


def test_a_curve_goes_from_end_to_end_of_its_axes():
    lines = shown({"training": falling(100)})
    assert len(lines) == 9 and max(map(len, lines)) <= 60
    assert lines[0].startswith("    1 ┤⠉") and lines[7].startswith("0.001 ┤")
    assert "⣀" in lines[7][-3:] and not lines[0][20:].strip()
    assert lines[8].split() == ["epoch", "1", "━━", "loss,", "training", "100"]
    # a straight line on a scale of powers: every column has its dots, from above to below
    dots = np.array([[c if c >= "⠀" else " " for c in line[7:].ljust(53)] for line in lines[:8]])
    rows = [np.flatnonzero(column != " ") for column in dots.T]
    assert all(len(each) for each in rows)
    assert all(a[0] <= b[0] and b[0] - a[-1] <= 1 for a, b in pairwise(rows))


def test_both_parts_have_a_colour_and_dashes_too():
    *rows, ruler = drawn({"training": falling(50), "validation": ((1, 0.5), (50, 0.5))}, 70, 6)
    assert {str(part.style) for row in rows for part in row if part.style} == {"cyan", "yellow"}
    assert [part.text for part in ruler if part.style] == ["━━", "╍╍"]
    # the second curve is level, one column of dots in three left out
    level = next(row for row in rows if any(str(part.style) == "yellow" for part in row))
    of_it = "".join(part.text for part in level if str(part.style) == "yellow")
    assert len(set(of_it[-30:])) == 3


@pytest.mark.parametrize(
    "points",
    [((1, 2.0),), ((7, -1.0), (8, -1.0)), ((1, 1e299), (9, -1e299)), ((1, 0), (2, 5e-324))],
)
def test_losses_of_every_kind_are_drawn(points):
    lines = shown({"training": points}, 40, 5)
    assert len(lines) == 6 and any("⠀" < letter <= "⣿" for letter in "".join(lines))


def test_it_is_as_large_as_there_is_room_for():
    curve = Curve()
    for number in range(1, 30):
        curve.add(number, Epoch(1 / number, 1 / number))
    for columns, rows, lines in ((200, 50, 11), (50, 12, 8), (30, 9, 5), (30, 8, 0), (20, 40, 0)):
        console = Console(file=io.StringIO(), width=columns, height=rows, force_terminal=True)
        with console.capture() as capture:
            console.print(LossCurve(curve), end="")
        found = re.sub(r"\x1b\[[\d;]*m", "", capture.get()).splitlines()
        assert len(found) == lines and all(len(line) < min(columns, 91) for line in found)


def test_where_dots_cannot_be_drawn():
    assert not can_draw(Console(file=io.StringIO()))
    assert can_draw(Console(file=io.StringIO(), force_terminal=True, legacy_windows=False))
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert not can_draw(dumb)


def on_terminal(folder, *options, interrupt=False):
    """What `symgrad train` writes to a terminal of 24 lines of 80 letters, and how it ends."""
    import fcntl
    import struct
    import termios

    command = [sys.executable, "-m", "symgrad.cli.main", "train", *map(str, options)]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ["TERM"] = "xterm-256color"
        os.execv(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    written, ends = b"", time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            written += os.read(terminal, 65536)
        except OSError:  # nobody writes any more
            break
        if interrupt and b"epoch 1 " in written:
            os.kill(child, signal.SIGINT)
            interrupt = False
    return written.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def folder(tmp_path):
    text(tmp_path / "plane.json", json.dumps(PLANE))
    plane_csv(tmp_path)
    return tmp_path


DATA = ("plane.json", "plane.csv", "-o", "run")


def test_a_terminal_keeps_the_curve(folder):
    written, code = on_terminal(folder, *DATA, "--epochs", 20)
    last = written.rpartition("\x1b[2K")[2]
    assert code == 0 and "epoch 1  " in last and "finished: 20 epochs" in last
    assert last.index("epoch 1  ") < last.index("finished")
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1  # the cursor is seen again


def test_with_plain_there_is_a_line_alone(folder):
    written, code = on_terminal(folder, *DATA, "--epochs", 20, "--plain")
    assert code == 0 and "finished: 20 epochs" in written
    assert "epoch 1  " not in written and "┤" not in written


def test_an_interrupt_leaves_curve_message_and_cursor(folder):
    written, code = on_terminal(folder, *DATA, "--epochs", 10**8, interrupt=True)
    last = written.rpartition("\x1b[2K")[2]
    assert code == 130
    assert last.index("epoch 1  ") < last.index("interrupted after epoch")
    assert "go on by" in last.replace("\r\n", "") and last.endswith("\r\n")
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
