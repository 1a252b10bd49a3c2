from __future__ import annotations

from pathlib import Path

from bluegreen.cli.manual import commands_page
from bluegreen.cli.table import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_page_of_commands_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == commands_page(), "run scripts/docs"


def test_page_has_every_command() -> None:
    page = commands_page()
    assert all(f"\n## bluegreen {name}\n" in page for name in COMMANDS)
