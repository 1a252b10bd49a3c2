"""No process outlives the sandbox. Linux: the nursery promises it nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.clock import SystemClock
from bluegreen.errors import BluegreenError
from bluegreen.sandbox.base import Nursery, Settings
from bluegreen.sandbox.nursery import start_nursery
from tests.sandbox.scheduler_kit import eventually

pytestmark = pytest.mark.sandbox

OWNER = """
import os, sys, threading
from pathlib import Path
from bluegreen.sandbox.base import Settings
from bluegreen.sandbox.nursery import start_nursery
folder, notes = Path(sys.argv[1]), sys.argv[2]
nursery = start_nursery(Settings("test", folder, "eu-west-1", 199, 4566))
script = f'''
(setsid sh -c 'setsid sh -c "echo \\$\\$ >> {notes}; exec sleep 4321" & echo $$ >> {notes}; sleep 4321' &)
trap "" TERM; echo $$ >> {notes}; sleep 4321 & echo $! >> {notes}; wait
'''
nursery.spawn(["sh", "-c", script], environment={"PATH": os.environ["PATH"]}, output=folder / "out")
threading.Event().wait()
"""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    nursery = start_nursery(Settings("test", tmp_path / "box", "eu-west-1", 198, 4566))
    yield nursery
    nursery.stop()


def alive(pid: int) -> bool:
    """A zombie is dead: only whoever should have waited for it has not yet looked."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_takes_every_descendant_and_its_folder_along(tmp_path: Path, number: signal.Signals) -> None:
    folder, notes = tmp_path / "box", tmp_path / "pids"
    notes.touch()
    with subprocess.Popen([sys.executable, "-c", OWNER, str(folder), str(notes)]) as owner:
        pids = eventually(lambda: [pids for pids in [notes.read_text().split()] if len(pids) == 4])[0]
        assert all(alive(int(pid)) for pid in pids)
        owner.send_signal(number)
    eventually(lambda: not any(alive(int(pid)) for pid in pids))
    eventually(lambda: not folder.exists())


def test_a_killed_helper_takes_its_descendants_along_and_says_so(tmp_path: Path) -> None:
    folder, notes = tmp_path / "box", tmp_path / "pids"
    notes.touch()
    nursery = start_nursery(Settings("test", folder, "eu-west-1", 198, 4566))
    script = f"echo $PPID $$ >> {notes}; setsid sh -c 'echo $$ >> {notes}; exec sleep 4321'"
    child = nursery.spawn(["sh", "-c", script], environment=environment(), output=folder / "out")
    helper, *pids = eventually(lambda: [pids for pids in [notes.read_text().split()] if len(pids) == 3])[0]
    os.kill(int(helper), signal.SIGKILL)
    eventually(lambda: not any(alive(int(pid)) for pid in pids))
    assert eventually(lambda: nursery.exit_code(child.pid)) == 128 + signal.SIGKILL
    with pytest.raises(BluegreenError, match="nursery is gone"):
        nursery.spawn(["true"], environment=environment(), output=folder / "out")
    nursery.stop()
    assert not folder.exists()


def test_a_process_of_many_threads_is_waited_for_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    nursery = start_nursery(Settings("test", folder, "eu-west-1", 198, 4566))
    script = "import threading; [threading.Thread(target=threading.Event().wait).start() for _ in range(50)]; print(1)"
    command = [sys.executable, "-u", "-c", script]
    pid = nursery.spawn(command, environment=environment(), output=folder / "out").pid
    eventually(lambda: (folder / "out").read_text())
    nursery.stop()
    assert not Path(f"/proc/{pid}").exists(), "reaped too"


def test_stop_returns_once_all_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    nursery = start_nursery(Settings("test", folder, "eu-west-1", 198, 4566))
    pids = [nursery.spawn(["sleep", "4321"], environment=environment(), output=folder / "out").pid for _ in range(5)]
    assert all(alive(pid) for pid in pids)
    nursery.stop()
    assert not any(alive(pid) for pid in pids)
    assert not folder.exists()
    nursery.stop()


def test_each_child_has_a_session_of_its_own_and_reports_its_exit(nursery: Nursery, tmp_path: Path) -> None:
    child = nursery.spawn(["sh", "-c", "exit 42"], environment=environment(), output=tmp_path / "out")
    assert eventually(lambda: nursery.exit_code(child.pid)) == 42
    other = nursery.spawn(["sleep", "4321"], environment=environment(), output=tmp_path / "out")
    assert os.getsid(other.pid) == os.getpgid(other.pid) == other.pid
    assert nursery.exit_code(other.pid) is None
    nursery.signal(other.pid, signal.SIGKILL)
    assert eventually(lambda: nursery.exit_code(other.pid)) == 128 + signal.SIGKILL
    nursery.signal(other.pid, signal.SIGKILL)


def test_a_signal_reaches_the_whole_group(nursery: Nursery, tmp_path: Path) -> None:
    output = tmp_path / "out"
    child = nursery.spawn(["sh", "-c", "sleep 4321 & echo $!; wait"], environment=environment(), output=output)
    grandchild = int(eventually(lambda: output.exists() and output.read_text()) or "0")
    nursery.signal(child.pid, signal.SIGTERM)
    assert eventually(lambda: nursery.exit_code(child.pid)) == 128 + signal.SIGTERM
    eventually(lambda: not alive(grandchild))


def test_what_cannot_be_executed_is_an_error_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a program")
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        nursery.spawn(["no-such-program"], environment=environment(), output=tmp_path / "out")
    with pytest.raises(PermissionError):
        nursery.spawn([str(text)], environment=environment(), output=tmp_path / "out")


def test_a_child_sees_only_the_environment_and_folder_it_was_given(nursery: Nursery, tmp_path: Path) -> None:
    output = tmp_path / "out"
    child = nursery.spawn(
        ["sh", "-c", "pwd; env | cut -d= -f1 | sort | tr '\\n' ' '; echo; ls /proc/self/fd | wc -l"],
        environment={**environment(), "ONLY": "1"},
        output=output,
        folder=tmp_path,
    )
    assert eventually(lambda: nursery.exit_code(child.pid) == 0)
    lines = output.read_text().splitlines()
    assert lines[0] == str(tmp_path)
    shells_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert set(lines[1].split()) - shells_own == {"ONLY", "PATH", "BLUEGREEN_NURSERY_CHILD"}
    assert lines[2] == "4", "standard input, output, error, and the one that ls opens"


def test_a_spawn_costs_milliseconds(nursery: Nursery, tmp_path: Path) -> None:
    clock, output = SystemClock(), tmp_path / "out"
    nursery.spawn(["true"], environment=environment(), output=output)
    taken = []
    for _ in range(20):
        began = clock.monotonic()
        nursery.spawn(["true"], environment=environment(), output=output)
        taken.append(clock.monotonic() - began)
    assert sorted(taken)[10] < 0.02
