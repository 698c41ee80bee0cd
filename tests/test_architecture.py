"""The page that follows a weight through the compiler is what the compiler prints."""

import runpy

from tests.paths import ROOT


def test_the_page_is_what_its_command_writes():
    written = runpy.run_path(str(ROOT / "docs" / "architecture.py"), run_name="architecture")
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert written["page"]() == page, "run: python docs/architecture.py"
