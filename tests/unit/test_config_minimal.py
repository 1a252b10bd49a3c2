from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen.config.minimal import Minimal, read_minimal, service_name, store_url
from bluegreen.errors import ConfigurationError


def written(folder: Path, text: str) -> Path:
    file = folder / "bluegreen.yaml"
    file.write_text(text)
    return file


def test_a_rollback_reads_three_keys_and_minds_no_other(tmp_path: Path) -> None:
    file = written(
        tmp_path, "service: orders\nstore: sqlite:///${P}\nregion: eu-central-1\nshift: [nonsense, '${TAG}']\n"
    )
    assert read_minimal(file, {"P": "x.db"}) == Minimal("orders", "sqlite:///x.db", "eu-central-1")
    assert (service_name(file, {"P": "x"}), store_url(file, {"P": "x"})) == ("orders", "sqlite:///x")


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_minimal(written(tmp_path, "service: orders\nstore:\n"), {}) == Minimal("orders")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cluster: a\n", "service: is missing"),
        ("sevrice: a\n", "service: is missing; did you mean sevrice?"),
        ("service: ''\n", "service: is missing"),
        ("service: 7\n", "service: must be text; put it in quotes"),
        ("service: [a]\n", "service: must be text"),
        ("service: ${NONE}\n", "service: needs the environment variable NONE"),
        ("service: [", "is not YAML"),
    ],
)
def test_a_file_that_does_not_name_the_service_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_minimal(written(tmp_path, text), {})
    assert words in "\n".join(caught.value.problems)


def test_the_rollbacks_reading_imports_no_pydantic() -> None:
    code = "import sys, bluegreen.config.minimal; sys.exit(any(m.split('.')[0] == 'pydantic' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
