"""How hooks are written: at the same time or in order, as dry runs, on a rollback, within the time of their point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.config.hooks import WITHOUT_STAGE
from bluegreen.domain.spec import Consequence, HookPoint, Moment, NotifySpec
from bluegreen.errors import ConfigurationError
from bluegreen.hooks.lifecycle_event import STAGES
from tests.unit.config_support import ENVIRONMENT, problem, problems, read, read_text, small

PAIR = [{"http": "/a"}, {"http": "/b", "timeout": "1m"}]


def test_hooks_of_a_parallel_list_are_one_group_and_keep_their_own_keys(tmp_path: Path) -> None:
    listed = [{"http": "/0"}, {"parallel": PAIR}, {"parallel": [{"pytest": "t"}, {"http": "/c"}]}, {"http": "/z"}]
    hooks = read(tmp_path, hooks={"test": listed, "bake": [{"parallel": PAIR}]}).spec.hooks
    assert [hook.name for hook in hooks] == ["http", "http-2", "http-3", "pytest", "http-4", "http-5", "http", "http-2"]
    groups = [hook.group for hook in hooks]
    assert (groups[0], groups[5]) == (0, 0)
    assert groups[1] == groups[2]
    assert groups[3] == groups[4]
    assert len({groups[1], groups[3], groups[6]}) == 3
    assert [hook.timeout for hook in hooks[1:3]] == [300.0, 60.0]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"parallel": PAIR, "timeout": "1m"}, "hooks.test[0].timeout: stands beside parallel"),
        ({"parallel": PAIR, "http": "/"}, "hooks.test[0].http: stands beside parallel"),
        ({"parallel": PAIR[:1]}, "hooks.test[0].parallel: needs at least two hooks"),
        ({"parallel": "both"}, "hooks.test[0].parallel: must be a list"),
        ({"parallel": [*PAIR, {"parallel": PAIR}]}, "hooks.test[0].parallel[2].parallel: stands in a list of its own"),
        ({"parallel": [{"http": {"paht": "/"}}, {"http": "/b"}]}, "hooks.test[0].parallel[0].http.paht: is not a key"),
        ({"parallel": [{"htpt": "/"}, {"http": "/b"}]}, "hooks.test[0].parallel[0].htpt: is no kind or key of a hook"),
        ({"http": "/", "on": []}, "hooks.test[0].on: must not be empty"),
        ({"http": "/", "on": ["never"]}, "hooks.test[0].on[0]: must be 'deploy' or 'rollback'"),
        ({"http": "/", "dry_run": "yes"}, "hooks.test[0].dry_run: must be true or false"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, entry: dict[str, object], said: str) -> None:
    assert said in problem(tmp_path, hooks={"test": [entry]})


def test_a_name_twice_is_found_across_parallel_lists(tmp_path: Path) -> None:
    listed = [{"http": "/a", "name": "x"}, {"parallel": [{"http": "/b"}, {"http": "/c", "name": "x"}]}]
    assert "hooks.test[1].parallel[1].name: is the name of another" in problem(tmp_path, hooks={"test": listed})


def test_a_hook_on_rollback_is_run_there_under_the_name_of_its_point(tmp_path: Path) -> None:
    flag = {"command": ["flag"], "name": "flag"}
    both = {**flag, "on": ["deploy", "rollback"]}
    listed = {"before_shift": [both], "test": [{**flag, "on": ["rollback"]}], "on_rollback": [flag]}
    hooks = read(tmp_path, hooks=listed).spec.hooks
    assert [(hook.point, hook.name) for hook in hooks] == [
        (HookPoint.ON_ROLLBACK, "test/flag"),
        (HookPoint.BEFORE_SHIFT, "flag"),
        (HookPoint.ON_ROLLBACK, "before_shift/flag"),
        (HookPoint.ON_ROLLBACK, "flag"),
    ]
    assert {str(hook.settings) for hook in hooks} == {"{'run': ['flag']}"}


def test_on_means_nothing_at_on_rollback(tmp_path: Path) -> None:
    listed = {"on_rollback": [{"http": "/", "on": ["rollback"]}]}
    assert "hooks.on_rollback[0].on: says when a hook of another point runs" in problem(tmp_path, hooks=listed)


def test_dry_runs_and_the_time_of_a_point_reach_the_spec(tmp_path: Path) -> None:
    hooks = {"test": [{"http": "/", "dry_run": True}], "timeouts": {"test": "10m"}, "on_timeout": "hold"}
    spec = read(tmp_path, hooks=hooks).spec
    assert spec.hooks[0].dry_run
    assert spec.hook_timeouts == {HookPoint.TEST: 600.0}
    assert spec.on_hook_timeout is Consequence.HOLD


def test_a_point_that_is_none_has_no_time(tmp_path: Path) -> None:
    said = problem(tmp_path, hooks={"timeouts": {"tset": "10m"}})
    assert "hooks.timeouts.tset" in said
    assert "did you mean test" in said


def test_who_is_told_of_what_reaches_the_spec_with_its_variables_unexpanded(tmp_path: Path) -> None:
    listed = [
        {"webhook": "https://chat.example/${TOKEN}", "on": ["held", "safe"], "timeout": "3s"},
        {"webhook": {"url": "https://x/y"}},
        {"sns": {"topic": "arn:aws:sns:eu-west-1:123456789012:t"}, "name": "mail"},
    ]
    first, second, third = read(tmp_path, notify=listed).spec.notify
    assert first == NotifySpec(
        "webhook", "webhook", {"url": "https://chat.example/${TOKEN}"}, (Moment.HELD, Moment.SAFE), 3.0
    )
    assert (second.name, second.on) == ("webhook-2", NotifySpec("", "").on)
    assert (third.name, third.kind) == ("mail", "sns")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"slack": "https://x/y"}, "notify[0].slack: is no kind or key of a notifier"),
        ({"webhook": {"urll": "https://x/y"}}, "notify[0].webhook.urll: is not a key here; did you mean url"),
        ({"webhook": "https://x/y", "on": ["hold"]}, "notify[0].on[0]: must be 'started'"),
        ({"on": ["held"]}, "notify[0]: names no kind of notifier"),
        ({"webhook": "https://x", "sns": "arn"}, "notify[0]: has two kinds"),
    ],
)
def test_a_notifier_that_makes_no_sense_is_refused_where_it_stands(
    tmp_path: Path, entry: dict[str, object], said: str
) -> None:
    assert any(said in found for found in problems(tmp_path, notify=[entry]))


@pytest.mark.parametrize(
    ("entry", "seconds"),
    [
        ({"approval": "Notes read?"}, 86400.0),
        ({"approval": {"message": "Red?", "deadline": "15m"}}, 960.0),
        ({"approval": {"message": "Red?", "deadline": "15m"}, "timeout": "15m"}, 900.0),
        ({"approval": "Red?", "timeout": "5m"}, 300.0),
        ({"http": "/"}, 300.0),
    ],
)
def test_a_person_has_a_day_or_the_deadline_unless_a_timeout_is_given(
    tmp_path: Path, entry: dict[str, object], seconds: float
) -> None:
    assert read(tmp_path, hooks={"test": [entry]}).spec.hooks[0].timeout == seconds


@pytest.mark.parametrize("deadline", ["1h", "${WAIT_LONG}"])
def test_a_timeout_that_would_cut_an_approvals_deadline_short_is_refused(tmp_path: Path, deadline: str) -> None:
    entry = {"approval": {"message": "Red?", "deadline": deadline}, "timeout": "5m"}
    said = problem(tmp_path, {**ENVIRONMENT, "WAIT_LONG": "2h"}, hooks={"test": [{"http": "/"}, entry]})
    assert said.startswith("hooks.test[1].timeout: is shorter than the approval's own deadline")


@pytest.mark.parametrize("point", ["on_success", "on_rollback"])
@pytest.mark.parametrize("settings", ["tell", {"function": "tell"}, {"function": "tell", "contract": "ecs"}])
def test_a_function_for_ecs_needs_a_stage_where_ecs_has_none(tmp_path: Path, point: str, settings: object) -> None:
    said = problem(tmp_path, hooks={point: [{"http": "/"}, {"lambda": settings}]})
    assert said.startswith(f"hooks.{point}[1].lambda: needs stage: ECS has no lifecycle stage for {point}")


def test_a_function_that_is_told_a_stage_or_is_codedeploys_or_stands_elsewhere_needs_none(tmp_path: Path) -> None:
    staged, codedeploy = {"function": "f", "stage": "CLEAN_UP"}, {"function": "f", "contract": "codedeploy"}
    on = {"lambda": "f", "on": ["deploy", "rollback"]}
    hooks = {"on_success": [{"lambda": staged}, {"lambda": codedeploy}], "before_shift": [on]}
    assert len(read(tmp_path, hooks=hooks).spec.hooks) == 4


def test_every_point_has_a_stage_of_ecs_or_needs_one() -> None:
    assert set(HookPoint) - set(STAGES) == set(WITHOUT_STAGE)


LATER: dict[str, Any] = {
    "hooks": {"test": [{"http": {"url": "${UNSET}/x"}}, {"approval": {"deadline": "${UNSET}"}, "timeout": "5m"}]},
    "gates": [{"alarm": "${UNSET}"}],
    "notify": [{"webhook": "${UNSET}"}],
}


def test_what_only_hooks_gates_and_notifiers_name_need_not_be_set_for_who_builds_none(tmp_path: Path) -> None:
    (first, _) = read_text(tmp_path, json.dumps(small(**LATER)), hook_variables=False).spec.hooks
    assert first.settings == {"url": "${UNSET}/x"}
    assert len(problems(tmp_path, **LATER)) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": "${UNSET}"}, "cluster: needs the environment variable UNSET"),
        ({"hooks": {"test": [{"http": "/", "timeout": "${UNSET}"}]}}, "hooks.test[0].timeout: needs the environment"),
        ({"hooks": {"test": [{"http": "/${"}]}}, "has a ${ without its }"),
        ({"hooks": {"test": [{"load": "${UNSET}"}]}}, "hooks.test[0].load: load takes its settings as keys and values"),
        ({**LATER, "hooks": {"test": [{"htpt": "${UNSET}"}]}}, "hooks.test[0].htpt: is no kind or key of a hook"),
    ],
)
def test_whatever_else_is_wrong_is_refused_then_too(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_text(tmp_path, json.dumps(small(**changes)), hook_variables=False)
    assert said in " ".join(caught.value.problems)
