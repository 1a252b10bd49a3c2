"""What a hook could never be asked with on this machine is known before a deployment: ``verify`` says what ``start``
would say, and starts nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Verifiable
from tests.contract.hook_kit import ENVIRONMENT, call, hook

URL = "http://127.0.0.1:9"
MARK = "open('ran', 'w')"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checks.py").write_text(f"{MARK}\ndef check(call):\n    return None\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(MARK)
    (tmp_path / "not-executable").write_text("")
    (tmp_path / "test_it.py").write_text(f"{MARK}\ndef test_it():\n    pass\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "settings", "base_url", "said"),
    [
        ("http", {"path": "/health"}, None, "no test route"),
        ("http", {"url": "https://orders.example/", "verify": "no/bundle.pem"}, URL, "no CA bundle"),
        ("wait_for", {"path": "/health"}, None, "no test route"),
        ("load", {"path": "/", "rate": 1}, None, "no test route"),
        ("command", {"run": ["no-such-program-here"]}, URL, "there is no no-such-program-here on the PATH"),
        ("command", {"run": ["./absent"]}, URL, "./absent does not exist"),
        ("command", {"run": ["./not-executable"]}, URL, "not executable"),
        ("command", {"run": "true", "shell": True, "cwd": "nowhere"}, URL, "nowhere does not exist"),
        ("pytest", {"path": "nowhere"}, URL, "there are no tests at"),
        ("pytest", {"path": ["test_it.py", "nowhere.py::test_it"]}, URL, "there are no tests at"),
        ("pytest", {"path": "test_it.py", "python": "no-such-python"}, URL, "there is no no-such-python"),
        (
            "python",
            {"call": "no_such_module_here:check"},
            URL,
            "cannot be imported: there is no module no_such_module_here",
        ),
        ("python", {"call": "absent.py:check"}, URL, "cannot be imported: there is no absent.py in"),
        ("python", {"call": "checks.py:check", "python": "no-such-python"}, URL, "there is no no-such-python"),
    ],
)
def test_what_could_never_be_asked_is_said_before_as_it_would_be_said_then(
    folder: Path, kind: str, settings: Mapping[str, object], base_url: str | None, said: str
) -> None:
    asked = hook(kind, settings, folder)
    assert isinstance(asked, Verifiable)
    with pytest.raises(HookUnavailableError, match=said) as before:
        asked.verify(call(base_url))
    with pytest.raises(HookUnavailableError) as then:
        asked.start(call(base_url))
    assert str(before.value) == str(then.value)


@pytest.mark.parametrize(
    ("kind", "settings", "base_url"),
    [
        ("http", {"path": "/health"}, URL),
        ("http", {"url": URL}, None),
        ("wait_for", {"url": URL}, None),
        ("load", {"path": "/", "rate": 1}, URL),
        ("command", {"run": [sys.executable, "-c", MARK]}, None),
        ("command", {"run": f"no-such-program-here || {sys.executable} -c ''", "shell": True}, None),
        ("pytest", {"path": ["test_it.py::test_it", "."]}, None),
        ("python", {"call": "checks.py:check"}, None),
        ("python", {"call": "checks:check"}, None),
        ("python", {"call": "package.deeper:check"}, None),
        ("python", {"call": "json:loads"}, None),
        ("python", {"call": "sys:exit"}, None),
    ],
)
def test_nothing_is_held_against_a_hook_that_could_be_asked_and_nothing_of_it_runs(
    folder: Path, kind: str, settings: Mapping[str, object], base_url: str | None
) -> None:
    asked = hook(kind, settings, folder)
    assert isinstance(asked, Verifiable)
    asked.verify(call(base_url))
    assert not (folder / "ran").exists()


def test_a_module_is_looked_for_where_the_hooks_own_pythonpath_leads(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "moved_checks.py").write_text("")
    settings = {"call": "moved_checks:check", "env": {"PYTHONPATH": "elsewhere"}}
    asked = hook("python", settings, tmp_path, {**ENVIRONMENT, "PYTHONPATH": ""})
    assert isinstance(asked, Verifiable)
    asked.verify(call())
