"""What the kinds say and do beyond their common contract, against a server that is really there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, Passed, Pending
from tests.contract.hook_kit import (
    ENVIRONMENT,
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


@pytest.fixture
def release() -> Iterator[Release]:
    with serving(Release()) as release:
        yield release


# http


def http(release: Release, **settings: Any) -> Passed | Failed:
    return ask(hook("http", settings, Path()), call(release.url))


def test_request_that_is_answered_well_says_status_time_and_count(release: Release) -> None:
    detail = passed(http(release, path="/health", times=3)).detail
    assert detail.startswith("GET /health → 200 in ")
    assert detail.endswith("(3/3)")
    assert len(release.seen) == 3


def test_first_bad_answer_of_many_fails_and_stops_asking(release: Release) -> None:
    release.answers["/health"] = (503, "starting")
    verdict = failed(http(release, path="/health", times=50))
    assert verdict.reason == "GET /health → 503, expected 200-299 (request 1 of 50)"
    assert verdict.output == ("starting",)
    assert len(release.seen) == 1


def test_concurrent_requests_are_all_counted(release: Release) -> None:
    verdict = passed(http(release, path="/health", times=40, concurrency=8))
    assert verdict.numbers["answers"] == 40
    assert len(release.seen) == 40


def test_interval_spaces_the_requests_of_a_worker(release: Release) -> None:
    asked = hook("http", {"path": "/health", "times": 3, "interval": "150ms"}, Path())
    pending = asked.start(call(release.url))
    assert isinstance(pending, Pending)
    until(lambda: release.seen)
    assert isinstance(asked.poll(pending.handle), Pending)
    passed(wait(asked, pending))


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"$.version": "2.0"}, ""),
        ({"version": "2.0", "parts[0].ok": True, "length(parts)": 2, "$": None}, '$ is {"version"'),
        ({"version": "3.0"}, '200, but version is "2.0", expected "3.0"'),
        ({"$.parts[1].ok": 1}, "$.parts[1].ok is true, expected 1"),
        ({"$.missing": "x"}, "$.missing is null"),
        ({"length(version.x)": 1}, "cannot be asked"),
    ],
)
def test_json_conditions_are_held_against_the_body(release: Release, conditions: dict[str, Any], said: str) -> None:
    release.answers["/v"] = (200, json.dumps({"version": "2.0", "parts": [{"ok": True}, {"ok": True}]}))
    verdict = http(release, path="/v", json=conditions)
    assert said in failed(verdict).reason if said else passed(verdict)


def test_body_is_searched_for_text_and_expressions(release: Release) -> None:
    passed(http(release, path="/health", contains=["version", "2.0"], matches=r'"2\.\d"'))
    assert 'does not contain "3.0"' in failed(http(release, path="/health", contains="3.0")).reason
    assert "does not match" in failed(http(release, path="/health", matches="^$")).reason
    release.answers["/text"] = (200, "plain")
    assert "no JSON" in failed(http(release, path="/text", json={"a": 1})).reason


def test_a_body_that_is_nested_deeper_than_anybody_reads_is_a_no_at_once(release: Release) -> None:
    release.answers["/deep"] = (200, "[" * 100_000)
    asked = hook("http", {"path": "/deep", "json": {"a": 1}}, Path())
    assert "no JSON" in failed(wait(asked, asked.start(call(release.url)), 5.0)).reason


def test_answer_that_takes_too_long_fails_although_it_is_right(release: Release) -> None:
    reason = failed(http(release, path="/health", latency="0.001ms")).reason
    assert "allowed are 0 ms" in reason
    passed(http(release, path="/health", latency="9s"))


@pytest.mark.parametrize("path", ["/silent", "/drip"])
def test_timeout_of_a_request_bounds_the_whole_exchange(release: Release, path: str) -> None:
    assert failed(http(release, path=path, timeout="300ms")).reason == f"GET {path} → no answer within 300 ms"


def test_refused_connection_is_the_releases_no() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    verdict = ask(hook("http", {"path": "/"}, Path()), call(f"http://127.0.0.1:{port}"))
    assert failed(verdict).reason == "GET / → connection refused"


def test_tls_that_cannot_be_agreed_on_is_unavailable(release: Release) -> None:
    with pytest.raises(HookUnavailableError, match="no TLS connection"):
        ask(hook("http", {"url": release.url.replace("http:", "https:") + "/"}, Path()), call())


def test_path_without_a_test_route_is_unavailable() -> None:
    with pytest.raises(HookUnavailableError, match="no test route"):
        ask(hook("http", {"path": "/"}, Path()), call(None))


def test_header_of_the_test_route_goes_with_paths_but_not_to_other_hosts(release: Release) -> None:
    told = call(release.url, facts={"test_header": "X-Bluegreen: green"})
    passed(ask(hook("http", {"path": "/health"}, Path()), told))
    passed(ask(hook("http", {"url": f"{release.url}/health"}, Path()), told))
    assert [headers.get("X-Bluegreen") for _, _, headers, _ in release.seen] == ["green", None]


def test_method_headers_and_body_arrive_as_written(release: Release) -> None:
    passed(http(release, path="/health", method="post", headers={"X-Number": 7}, body={"a": [1]}))
    ((method, _, headers, body),) = release.seen
    assert (method, headers["X-Number"], headers["Content-Type"]) == ("POST", "7", "application/json")
    assert json.loads(body) == {"a": [1]}


def test_secret_header_that_a_server_echoes_is_redacted(release: Release) -> None:
    release.answers["/echo"] = (401, "you sent opensesame42")
    verdict = failed(http(release, path="/echo", headers={"Authorization": "opensesame42"}))
    assert "opensesame42" not in repr(verdict)


# command


def command(folder: Path, run: object, **settings: object) -> Passed | Failed:
    return ask(hook("command", {"run": run, **settings}, folder), call("http://127.0.0.1:9", facts={"images": "{}"}))


def test_last_line_and_exit_code_are_the_reason(tmp_path: Path) -> None:
    verdict = failed(command(tmp_path, "echo first; echo the last line >&2; exit 3", shell=True))
    assert verdict.reason == "exit 3: the last line"
    assert verdict.output == ("first", "the last line")


def test_command_is_told_the_call_in_its_environment(tmp_path: Path) -> None:
    script = (
        'import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k[:9] in ("BLUEGREEN", "EXTRA")}))'
    )
    verdict = passed(command(tmp_path, [sys.executable, "-c", script], env={"BLUEGREEN_X": 1}))
    told = json.loads(verdict.output[0])
    wholly = json.loads(told.pop("BLUEGREEN_CALL"))
    assert told == {
        "BLUEGREEN_ATTEMPT": "1",
        "BLUEGREEN_BASE_URL": "http://127.0.0.1:9",
        "BLUEGREEN_DEPLOYMENT": "d-1",
        "BLUEGREEN_HOOK": "smoke",
        "BLUEGREEN_IMAGES": "{}",
        "BLUEGREEN_POINT": "test",
        "BLUEGREEN_SERVICE": "orders",
        "BLUEGREEN_TIMEOUT": "20",
        "BLUEGREEN_X": "1",
    }
    assert wholly["facts"]["service"] == "orders"


def test_command_runs_in_the_configurations_folder_or_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    assert passed(command(tmp_path, ["pwd"])).output == (str(tmp_path),)
    assert passed(command(tmp_path, ["pwd"], cwd="below")).output == (str(tmp_path / "below"),)
    with pytest.raises(HookUnavailableError, match="does not exist"):
        command(tmp_path, ["pwd"], cwd="nowhere")


def test_arguments_are_no_shell_unless_asked_for(tmp_path: Path) -> None:
    assert passed(command(tmp_path, ["echo", "$HOME; false"])).output == ("$HOME; false",)
    assert passed(command(tmp_path, "X=1; echo $X", shell=True)).output == ("1",)


@pytest.mark.parametrize(
    ("run", "shell", "said"),
    [
        (["./absent"], False, "does not exist in"),
        (["./plain.txt"], False, "is not executable"),
        (["./broken"], False, "could not be started"),
        ("no-such-program-here", True, "exit 127"),
        ("echo no database; exit 75", True, "exit 75: no database"),
    ],
)
def test_what_could_not_be_run_or_could_not_ask_is_unavailable(
    tmp_path: Path, run: object, shell: bool, said: str
) -> None:
    (tmp_path / "plain.txt").write_text("x")
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    with pytest.raises(HookUnavailableError, match=said):
        command(tmp_path, run, shell=shell)


def test_process_left_in_the_background_does_not_keep_a_hook_pending(tmp_path: Path) -> None:
    verdict = passed(command(tmp_path, "sleep 60 & echo $!", shell=True))
    pid = int(verdict.output[0])
    assert alive(pid)
    subprocess.run(["kill", "-9", str(pid)], check=True)


def test_process_may_tidy_up_when_it_is_cancelled(tmp_path: Path) -> None:
    asked = hook(
        "command", {"run": "trap 'echo tidied > tidy; exit 1' TERM; echo up; sleep 60 & wait", "shell": True}, tmp_path
    )
    pending = asked.start(call())
    assert isinstance(pending, Pending)
    until(lambda: "up" in getattr(asked.poll(pending.handle), "progress", ""))
    asked.cancel(pending.handle)
    assert "cancelled" in failed(wait(asked, pending)).reason
    assert (tmp_path / "tidy").read_text() == "tidied\n"


def test_progress_is_the_last_line_without_its_secret(tmp_path: Path) -> None:
    asked = hook("command", {"run": 'echo "step 1 with $PLANTED_TOKEN"; sleep 30', "shell": True}, tmp_path)
    pending = asked.start(call())
    assert isinstance(pending, Pending)
    until(lambda: getattr(asked.poll(pending.handle), "progress", "") == "step 1 with [redacted]")
    asked.cancel(pending.handle)
    wait(asked, pending)


def test_value_of_a_variable_in_the_settings_is_redacted(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "CHAT": "https-chat-T0-B0"}
    verdict = ask(hook("command", {"run": ["echo", "to ${CHAT}"]}, tmp_path, environment), call())
    assert passed(verdict).output == ("to [redacted]",)


# python


def callable_of(folder: Path, body: str, place: str = "checks.py:check") -> Passed | Failed:
    (folder / "checks.py").write_text(body)
    return ask(hook("python", {"call": place}, folder), call("http://127.0.0.1:9", facts={"release": "r-2"}))


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ("None", "passed in"),
        ("True", "passed in"),
        ("'twelve rows'", "twelve rows"),
        ("{'detail': 'fine', 'rows': 12, 'who': call.facts['release']}", "fine, rows=12, who=r-2"),
        ("f'{call.point.value} {call.base_url} {call.attempt}'", "test http://127.0.0.1:9 1"),
    ],
)
def test_callable_that_answers_yes_passes_with_what_it_says(tmp_path: Path, answer: str, detail: str) -> None:
    verdict = passed(callable_of(tmp_path, f"def check(call):\n    return {answer}\n"))
    assert verdict.detail.startswith(detail)
    assert verdict.numbers.get("rows") == (12 if "'rows'" in answer else None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return False", "answered False"),
        ("assert 1 == 2, 'one is not two'", "one is not two"),
        ("assert 1 == 2", "assertion failed (checks.py:2)"),
        ("{}['x']", "KeyError: 'x' (checks.py:2)"),
        ("return 3", "answered int"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "no answer: exit 0"),
        ("import no_such_module_here", "ModuleNotFoundError"),
    ],
)
def test_callable_that_does_not_say_yes_fails(tmp_path: Path, body: str, reason: str) -> None:
    verdict = failed(callable_of(tmp_path, f"def check(call):\n    {body}\n"))
    assert reason in verdict.reason
    if "Error" in reason:
        assert any("Traceback" in line for line in verdict.output)


def test_callable_may_be_asynchronous_and_live_in_a_module(tmp_path: Path) -> None:
    body = "async def check(call):\n    import asyncio\n    await asyncio.sleep(0)\n    return 'awaited'\n"
    assert passed(callable_of(tmp_path, body, "checks:check")).detail == "awaited"


@pytest.mark.parametrize("place", ["checks.py:absent", "checks:number", "absent.py:check"])
def test_callable_that_cannot_be_found_is_unavailable(tmp_path: Path, place: str) -> None:
    with pytest.raises(HookUnavailableError, match="cannot be imported"):
        callable_of(tmp_path, "number = 3\n", place)


def test_callable_may_say_that_it_could_not_ask(tmp_path: Path) -> None:
    away = "from bluegreen.errors import HookUnavailableError as Away\n"
    body = f"{away}def check(call):\n    raise Away('database is away')\n"
    with pytest.raises(HookUnavailableError, match="database is away"):
        callable_of(tmp_path, body)


def test_standard_librarys_http_is_not_hidden_by_ours(tmp_path: Path) -> None:
    body = "import http.client, sys\ndef check(call):\n    return str(any('hooks' in p for p in sys.path))\n"
    assert passed(callable_of(tmp_path, body)).detail == "False"


# pytest


def run_tests(folder: Path, body: str, release: Release, **settings: object) -> Passed | Failed:
    (folder / "test_smoke.py").write_text(body)
    told = call(release.url, facts={"images": '{"app": "orders:2.0"}', "test_header": "X-Slot: green"})
    return ask(hook("pytest", {"path": "test_smoke.py", **settings}, folder), told)


_SMOKE = """
import pytest, urllib.request
def test_health(base_url): assert urllib.request.urlopen(base_url + "/health").status == 200
def test_told(deployment):
    assert deployment.images == {"app": "orders:2.0"}
    assert deployment.headers == {"X-Slot": "green"}
    assert deployment.facts["service"] == "orders"
@pytest.mark.skip
def test_later(): ...
"""


def test_tests_that_pass_are_counted(tmp_path: Path, release: Release) -> None:
    verdict = passed(run_tests(tmp_path, _SMOKE, release))
    assert verdict.detail.startswith("2 passed, 1 skipped in ")
    assert (verdict.numbers["passed"], verdict.numbers["skipped"]) == (2, 1)
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["test_smoke.py"]


def test_failed_tests_are_named_with_their_reason(tmp_path: Path, release: Release) -> None:
    verdict = failed(run_tests(tmp_path, f"{_SMOKE}\ndef test_bad(): assert 1 == 2\n", release))
    assert verdict.reason == "1 of 4 failed: test_smoke.py::test_bad: assert 1 == 2"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "no tests were collected"),
        ("import pytest\n@pytest.mark.skip\ndef test_a(): ...\n", "no test ran: 1 skipped"),
        ("import no_such_module_here\n", "No module named 'no_such_module_here'"),
        ("import pytest\n@pytest.fixture\ndef x(): 1 / 0\ndef test_a(x): ...\n", "ZeroDivisionError"),
        ("import os\ndef test_a(): ...\ndef test_b(): os._exit(0)\n", "pytest ended early: exit 0"),
    ],
)
def test_run_that_tested_nothing_has_failed(tmp_path: Path, release: Release, body: str, reason: str) -> None:
    assert reason in failed(run_tests(tmp_path, body, release)).reason


def test_results_come_one_by_one(tmp_path: Path, release: Release) -> None:
    body = "import signal\ndef test_one(): ...\ndef test_two(): signal.pause()\n"
    (tmp_path / "test_smoke.py").write_text(body)
    asked = hook("pytest", {"path": "test_smoke.py"}, tmp_path)
    pending = asked.start(call(release.url))
    assert isinstance(pending, Pending)
    until(lambda: getattr(asked.poll(pending.handle), "progress", "") == "1/2 test_smoke.py::test_one")
    asked.cancel(pending.handle)
    wait(asked, pending)


def test_junit_file_is_kept_without_secrets(tmp_path: Path, release: Release) -> None:
    body = "import os\ndef test_a(): print('authorization: x'); assert os.environ['PLANTED_TOKEN'] == '<&'\n"
    failed(run_tests(tmp_path, body, release, junit="out/junit.xml"))
    text = (tmp_path / "out" / "junit.xml").read_text()
    assert PLANTED not in text
    assert "[redacted]" in text
    assert ElementTree.fromstring(text).find(".//failure") is not None


def test_wrong_argument_of_pytest_is_unavailable(tmp_path: Path, release: Release) -> None:
    with pytest.raises(HookUnavailableError, match="pytest could not run"):
        run_tests(tmp_path, _SMOKE, release, args=["--no-such-option"])


def test_interpreter_without_pytest_is_unavailable(tmp_path: Path, release: Release) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(HookUnavailableError, match="has no pytest"):
        run_tests(tmp_path, _SMOKE, release, python="./bare")


def test_interpreter_of_the_tests_needs_no_bluegreen(tmp_path: Path, release: Release) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for place in Path(pytest.__file__).parents[1].iterdir():
        if "bluegreen" not in place.name and place.suffix != ".pth":
            (packages / place.name).symlink_to(place)
    alien = tmp_path / "alien"
    alien.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S "$@"\n')
    alien.chmod(0o755)
    probe = [str(alien), "-c", "import pytest, bluegreen"]
    assert (
        b"No module named 'bluegreen'" in subprocess.run(probe, cwd=tmp_path, capture_output=True, check=False).stderr
    )
    assert "2 passed" in passed(run_tests(tmp_path, _SMOKE, release, python="./alien")).detail
    (tmp_path / "checks.py").write_text("def check(call):\n    return str(call.point)\n")
    asked = hook("python", {"call": "checks.py:check", "python": "./alien"}, tmp_path)
    assert passed(ask(asked, call())).detail == "test"


def test_tests_spread_over_workers_are_counted_once(tmp_path: Path, release: Release) -> None:
    verdict = passed(run_tests(tmp_path, _SMOKE, release, args=["-p", "xdist", "-n", "2"]))
    assert verdict.detail.startswith("2 passed, 1 skipped in ")


def test_secret_inside_a_failed_assertion_is_redacted(tmp_path: Path, release: Release) -> None:
    body = "import os\ndef test_a(): assert os.environ['PLANTED_TOKEN'] == 'x'\n"
    assert PLANTED not in repr(failed(run_tests(tmp_path, body, release)))
