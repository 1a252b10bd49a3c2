"""Whether the holder of a lease is known to be dead: only then is its lease ended before its time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from bluegreen.domain.service import Owner
from bluegreen.drivers.holder import is_known_dead, take
from bluegreen.errors import LockedError
from bluegreen.wiring import this_process
from tests.stage import Stage

ME = this_process("resume")


@pytest.fixture(scope="module")
def gone() -> Owner:
    """A process of this machine that has ended, and was waited for."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return replace(ME, pid=process.pid)


@pytest.mark.skipif(not ME.pids, reason="this system does not name its pid namespaces: nobody is known to be dead")
def test_process_of_this_machine_that_does_not_exist_is_known_to_be_dead(gone: Owner) -> None:
    assert is_known_dead(gone, ME)
    assert not is_known_dead(ME, ME)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "build-7"},
        {"pids": f"{ME.pids} of another container"},
        {"pids": f"another boot {ME.pids.partition(' ')[2]}"},
        {"pids": ""},
    ],
    ids=["another host", "another container", "another kernel", "a system that does not tell"],
)
def test_pid_of_elsewhere_says_nothing_even_where_the_host_has_the_same_name(
    gone: Owner, elsewhere: dict[str, str]
) -> None:
    assert not is_known_dead(replace(gone, **elsewhere), ME)  # type: ignore[arg-type]


def test_two_systems_that_do_not_tell_their_pids_do_not_believe_each_other(gone: Owner) -> None:
    assert not is_known_dead(replace(gone, pids=""), replace(ME, pids=""))


@pytest.mark.skipif(not ME.pids, reason="as above")
def test_lease_of_a_dead_neighbour_is_taken_at_once_and_that_of_another_container_is_waited_for(gone: Owner) -> None:
    stage = Stage()
    session = stage.session("resume")
    session.owner = ME
    now = stage.clock.now()
    first = stage.memory.acquire("orders", replace(gone, pids="another container"), now=now)
    with pytest.raises(LockedError):
        take(session, "orders")
    stage.memory.release(first)
    stage.memory.acquire("orders", gone, now=now)
    taken = take(session, "orders")
    assert taken.dead
    assert taken.ended is not None
    assert taken.ended.owner == gone
