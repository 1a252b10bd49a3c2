"""What every kind of hook keeps to, whatever it runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Hook, Pending, Verdict
from tests.contract.hook_kit import (
    PLANTED,
    Release,
    alive,
    ask,
    call,
    failed,
    hook,
    passed,
    serving,
    until,
    wait,
)

# A grandchild that has left the process group and the session, as a daemon does.
_HANG = """
import os, signal, subprocess, sys
daemon = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
open("pids", "w").write(f"{os.getpid()} {daemon.pid}\\n")
print("hanging", flush=True)
signal.pause()
"""
_NOISE = f"""
import os
for line in range(20000):
    print(line, "x" * 40)
print("token is", os.environ["PLANTED_TOKEN"])
print("coloured \\x1b[31m{PLANTED[:7]}\\x1b[0m{PLANTED[7:]}")
"""

_BODIES = {
    "passes": "print('all is well')",
    "fails": f"print('the reason is {PLANTED}'); raise AssertionError('no: {PLANTED}')",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs": _HANG,
    "noise": f"{_NOISE}\nraise AssertionError('after much noise')",
}


@dataclass(frozen=True)
class Kind:
    """``settings`` turns a situation's name into the settings that bring it about."""

    name: str
    settings: Callable[[str, Path], Mapping[str, object]]
    runs_a_process: bool = True


def _command(situation: str, folder: Path) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"run": ["no-such-program-here"]}
    (folder / "program.py").write_text(_BODIES[situation])
    return {"run": [sys.executable, "program.py"]}


def _python(situation: str, folder: Path) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"call": "no_such_module_here:check"}
    body = "".join(f"    {line}\n" for line in _BODIES[situation].splitlines() if line.strip())
    (folder / "checks.py").write_text(f"def check(call):\n{body}")
    return {"call": "checks.py:check"}


def _pytest(situation: str, folder: Path) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"path": "no-such-tests-here"}
    body = "".join(f"    {line}\n" for line in _BODIES[situation].splitlines() if line.strip())
    (folder / "test_smoke.py").write_text(f"def test_it(base_url):\n    assert base_url\n{body}")
    return {"path": "test_smoke.py", "args": ["-s"]}


def _http(situation: str, _folder: Path) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"url": "http://no-such-host.invalid/"}
    paths = {"passes": "/health", "fails": "/bad", "dies": "/broken", "hangs": "/silent", "noise": "/noise"}
    return {"path": paths[situation], "timeout": "20s"}


KINDS = [Kind("command", _command), Kind("python", _python), Kind("pytest", _pytest), Kind("http", _http, False)]
PROCESSES = [kind for kind in KINDS if kind.runs_a_process]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
every_process = pytest.mark.parametrize("kind", PROCESSES, ids=lambda kind: kind.name)


@pytest.fixture
def release() -> Iterator[Release]:
    release = Release()
    release.answers["/bad"] = (500, f"the reason is {PLANTED}")
    release.answers["/noise"] = (500, "\n".join([f"{n} {'x' * 40}" for n in range(20000)] + [f"token is {PLANTED}"]))
    with serving(release):
        yield release


def build(kind: Kind, situation: str, folder: Path) -> Hook:
    return hook(kind.name, kind.settings(situation, folder), folder)


def everything(verdict: Verdict) -> str:
    return repr(verdict)


@every_kind
def test_a_hook_that_is_content_passes_and_says_how_long_it_took(kind: Kind, tmp_path: Path, release: Release) -> None:
    verdict = passed(ask(build(kind, "passes", tmp_path), call(release.url)))
    assert "ms" in verdict.detail or " s" in verdict.detail
    assert verdict.numbers


@every_kind
def test_start_does_not_wait_for_the_verdict(kind: Kind, tmp_path: Path, release: Release) -> None:
    asked = build(kind, "passes", tmp_path)
    verdict = asked.start(call(release.url))
    assert isinstance(verdict, Pending)
    passed(wait(asked, verdict))


@every_kind
def test_a_hook_that_says_no_fails_with_its_reason_but_without_its_secret(
    kind: Kind, tmp_path: Path, release: Release
) -> None:
    verdict = failed(ask(build(kind, "fails", tmp_path), call(release.url)))
    assert verdict.reason
    assert PLANTED not in everything(verdict)
    assert "[redacted]" in everything(verdict)


@every_kind
def test_a_hook_that_dies_has_failed_and_says_of_what(kind: Kind, tmp_path: Path, release: Release) -> None:
    verdict = failed(ask(build(kind, "dies", tmp_path), call(release.url)))
    assert ("SIGSEGV" in verdict.reason) if kind.runs_a_process else ("no whole answer" in verdict.reason)


@every_kind
def test_what_cannot_be_asked_is_unavailable_and_not_failed(kind: Kind, tmp_path: Path, release: Release) -> None:
    with pytest.raises(HookUnavailableError) as raised:
        ask(build(kind, "unavailable", tmp_path), call(release.url))
    assert "no" in raised.value.message
    assert len(raised.value.message.splitlines()) == 1


@every_kind
def test_output_is_limited_to_its_end_and_free_of_secrets(kind: Kind, tmp_path: Path, release: Release) -> None:
    verdict = failed(ask(build(kind, "noise", tmp_path), call(release.url)))
    assert len(verdict.output) <= 50
    assert sum(map(len, verdict.output)) <= 16 * 1024
    assert any("token is [redacted]" in line for line in verdict.output)
    assert PLANTED not in everything(verdict)


@every_kind
def test_a_cancelled_hook_is_not_pending_for_long(kind: Kind, tmp_path: Path, release: Release) -> None:
    asked = build(kind, "hangs", tmp_path)
    pending = asked.start(call(release.url))
    assert isinstance(pending, Pending)
    asked.cancel(pending.handle)
    verdict = failed(wait(asked, pending, 5))
    assert "cancelled after" in verdict.reason
    asked.cancel(pending.handle)


@every_kind
def test_a_hook_ends_at_its_own_timeout_although_nobody_cancels_it(
    kind: Kind, tmp_path: Path, release: Release
) -> None:
    verdict = failed(ask(build(kind, "hangs", tmp_path), call(release.url, timeout=0.6)))
    assert "no end" in verdict.reason


@every_kind
def test_a_handle_from_before_a_restart_is_unavailable(kind: Kind, tmp_path: Path, release: Release) -> None:
    before = build(kind, "passes", tmp_path)
    pending = before.start(call(release.url))
    assert isinstance(pending, Pending)
    after = build(kind, "passes", tmp_path)
    with pytest.raises(HookUnavailableError, match="has ended"):
        after.poll(pending.handle)
    after.cancel(pending.handle)
    passed(wait(before, pending))


@every_kind
def test_a_verdict_can_be_asked_for_again(kind: Kind, tmp_path: Path, release: Release) -> None:
    asked = build(kind, "passes", tmp_path)
    pending = asked.start(call(release.url))
    assert isinstance(pending, Pending)
    first = wait(asked, pending)
    assert asked.poll(pending.handle) == first


@every_process
def test_cancelling_kills_every_descendant_even_one_in_a_session_of_its_own(
    kind: Kind, tmp_path: Path, release: Release
) -> None:
    asked = build(kind, "hangs", tmp_path)
    pending = asked.start(call(release.url))
    assert isinstance(pending, Pending)
    pids = _pids(tmp_path)
    assert all(map(alive, pids))
    asked.cancel(pending.handle)
    failed(wait(asked, pending, 8))
    assert not any(map(alive, pids))


@every_process
def test_a_hook_dies_with_its_driver(kind: Kind, tmp_path: Path, release: Release) -> None:
    settings = dict(kind.settings("hangs", tmp_path))
    driver = os.spawnv(
        os.P_NOWAIT,
        sys.executable,
        [sys.executable, "-c", _DRIVER, kind.name, repr(settings), release.url, str(tmp_path)],
    )
    try:
        pids = _pids(tmp_path)
    finally:
        os.kill(driver, signal.SIGKILL)
        os.waitpid(driver, 0)
    until(lambda: not any(map(alive, pids)))


_DRIVER = """
import sys, threading
from pathlib import Path
from tests.contract.hook_kit import call, hook
asked = hook(sys.argv[1], eval(sys.argv[2]), Path(sys.argv[4]))
asked.start(call(sys.argv[3]))
threading.Event().wait(60)
"""


def _pids(folder: Path) -> list[int]:
    file = folder / "pids"
    until(lambda: file.exists() and file.read_text().endswith("\n"))
    return [int(pid) for pid in file.read_text().split()]
