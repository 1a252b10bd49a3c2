"""What the README and the manual show works: their configuration loads, their commands and options exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bluegreen.cli.main import root
from bluegreen.config.load import load
from bluegreen.wiring import known_kinds

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/manual.md", "docs/sandbox.md", "docs/pipelines.md", "docs/hooks.md", "CONTRIBUTING.md")
COMMAND = re.compile(r"bluegreen ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*){0,2})((?: [^`\n|]*)?)")


def test_the_readmes_configuration_loads(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    (tmp_path / "tests" / "smoke").mkdir(parents=True)
    path = tmp_path / "bluegreen.yaml"
    path.write_text(block.group(1), encoding="utf-8")
    spec = load(path, {}, known_kinds()).spec
    assert (spec.service, len(spec.hooks), len(spec.gates)) == ("orders", 2, 1)


def shown(page: str) -> Iterator[tuple[str, list[str]]]:
    """Every ``bluegreen COMMAND`` on a page, with the long options that follow it on its line."""
    for words, rest in COMMAND.findall((ROOT / page).read_text(encoding="utf-8")):
        if words.split()[0] in root.list_commands(click.Context(root)):
            yield words, re.findall(r"--[a-z][a-z-]+", rest.split("  ")[0])


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_a_page_shows_exists(page: str) -> None:
    for words, options in shown(page):
        first, *more = words.split()
        command = root.get_command(click.Context(root), first)
        assert command is not None, words
        while isinstance(command, click.Group) and more and more[0] in command.commands:
            command = command.commands[more.pop(0)]
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        assert set(options) <= known | {"--help", "--version"}, f"{page}: bluegreen {words} {options}"


@pytest.mark.parametrize("page", [*PAGES, "docs/architecture.md", "CHANGELOG.md"])
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8")):
        assert target.startswith("http") or (folder / target).exists(), f"{page}: {target}"
