"""/_sandbox/…: the sandbox's own interface, for its command line and for tests.

GET    /_sandbox/status                          listeners, services, tasks, target groups
GET    /_sandbox/calls?since=EPOCH&after=NUMBER  API calls, oldest first
GET    /_sandbox/logs?service=&task=&lines=      output of the containers
POST   /_sandbox/differences                     {"template", "parameters", "region", "port"}: what is otherwise
GET    /_sandbox/faults                          faults in force
POST   /_sandbox/faults                          add one (see Fault); DELETE clears, /ID one of them
GET    /_sandbox/policies                        what each access key may do; one without a policy, everything
POST   /_sandbox/policies                        {"access_key": KEY, "policy": IAM policy or null}
GET    /_sandbox/throttles                       POST {"enabled": bool, "scale": number}
POST   /_sandbox/kill                            {"task": ID}: SIGKILL to its containers
POST   /_sandbox/reset                           buckets full, no call remembered, no fault, no policy
POST   /_sandbox/stop                            end the sandbox
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from bluegreen.sandbox.api.answer import Answer, json_answer
from bluegreen.sandbox.api.authorize import Policies
from bluegreen.sandbox.api.calls import CallLog
from bluegreen.sandbox.api.faults import Fault, Faults
from bluegreen.sandbox.api.request import Environ
from bluegreen.sandbox.api.throttle import Throttles
from bluegreen.sandbox.base import Scheduler

_PREFIX = "/_sandbox/"
Body = Mapping[str, Any]


class Control:
    """``status`` answers plain data; ``reset`` forgets calls and fills buckets; ``stop`` ends the daemon, soon."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        throttles: Throttles,
        faults: Faults,
        policies: Policies,
        calls: CallLog,
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        differences: Callable[[Body], Sequence[str]],
    ) -> None:
        self._scheduler = scheduler
        self._throttles = throttles
        self._faults = faults
        self._policies = policies
        self._calls = calls
        self._status = status
        self._stop = stop
        self._differences = differences
        self.reset: Callable[[], None] = calls.reset

    def __call__(self, environ: Environ) -> Answer:
        name, _, rest = environ["PATH_INFO"].removeprefix(_PREFIX).strip("/").partition("/")
        method = environ["REQUEST_METHOD"]
        handle = self._handlers().get((method, name))
        if handle is None:
            known = ", ".join(sorted(f"{verb} {_PREFIX}{path}" for verb, path in self._handlers()))
            return json_answer({"error": f"no {method} {_PREFIX}{name}; there are: {known}"}, 404)
        try:
            return json_answer(handle(rest, _query(environ), _body(environ)))
        except (ValueError, TypeError) as error:
            return json_answer({"error": str(error)}, 400)
        except LookupError as error:
            return json_answer({"error": f"not found: {error}"}, 404)

    def _handlers(self) -> dict[tuple[str, str], Callable[[str, Mapping[str, str], Body], Any]]:
        return {
            ("GET", "status"): lambda _, __, ___: self._status(),
            ("GET", "calls"): self._get_calls,
            ("GET", "logs"): self._get_logs,
            ("POST", "differences"): lambda _, __, body: list(self._differences(body)),
            ("GET", "faults"): lambda _, __, ___: self._faults.listed(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "policies"): lambda _, __, ___: self._policies.listed(),
            ("POST", "policies"): self._put_policy,
            ("GET", "throttles"): lambda _, __, ___: self._throttle_state(),
            ("POST", "throttles"): self._set_throttles,
            ("POST", "kill"): self._kill,
            ("POST", "reset"): self._reset,
            ("POST", "stop"): self._end,
        }

    def _get_calls(self, _: str, query: Mapping[str, str], __: Body) -> Any:
        return self._calls.since(float(query.get("since", 0)), int(query.get("after", 0)))

    def _get_logs(self, _: str, query: Mapping[str, str], __: Body) -> Any:
        lines, service, task = int(query.get("lines", 100)), query.get("service"), query.get("task")
        tasks = self._scheduler.tasks()
        services = {each["service"] for each in self._status()["services"]} | {each.service for each in tasks}
        if service is not None and service not in services:
            raise ValueError(f"no service is named {service}; there are: {', '.join(sorted(filter(None, services)))}")
        if task is not None and not any(each.task_id.startswith(task) for each in tasks):
            known = ", ".join(each.task_id for each in tasks) or "none"
            raise ValueError(f"no task is named {task}; there are: {known}")
        return list(self._scheduler.logs(service=service, task_id=task, lines=lines))

    def _add_fault(self, _: str, __: Mapping[str, str], body: Body) -> Any:
        fault = self._faults.add(Fault.from_json(body))
        return {"id": fault.id}

    def _clear_faults(self, rest: str, _: Mapping[str, str], __: Body) -> Any:
        self._faults.clear(int(rest) if rest else None)
        return {}

    def _put_policy(self, _: str, __: Mapping[str, str], body: Body) -> Any:
        self._policies.put(str(body.get("access_key", "")), body.get("policy"))
        return {}

    def _throttle_state(self) -> Any:
        return {"enabled": self._throttles.enabled, "scale": self._throttles.scale}

    def _set_throttles(self, _: str, __: Mapping[str, str], body: Body) -> Any:
        scale = body.get("scale")
        self._throttles.configure(enabled=body.get("enabled"), scale=None if scale is None else float(scale))
        return self._throttle_state()

    def _kill(self, _: str, __: Mapping[str, str], body: Body) -> Any:
        wanted = str(body.get("task", ""))
        running = [task for task in self._scheduler.tasks() if task.status != "STOPPED"]
        found = [task for task in running if wanted and task.task_id.startswith(wanted.split("/")[-1])]
        if len(found) != 1:
            known = ", ".join(task.task_id for task in running) or "none"
            raise ValueError(f"{len(found)} running tasks are named {wanted!r}; running: {known}")
        self._scheduler.kill(found[0].task_id)
        return {"task": found[0].task_id}

    def _reset(self, _: str, __: Mapping[str, str], ___: Body) -> Any:
        self.reset()
        self._faults.clear()
        self._policies.clear()
        return {}

    def _end(self, _: str, __: Mapping[str, str], ___: Body) -> Any:
        self._stop()
        return {}


def _query(environ: Environ) -> Mapping[str, str]:
    return {key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}


def _body(environ: Environ) -> Body:
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    content = json.loads(raw) if raw else {}
    if not isinstance(content, dict):
        raise ValueError("the body must be a JSON object")
    return content
