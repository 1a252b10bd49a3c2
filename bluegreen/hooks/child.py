"""The inner side of the ``pytest`` and ``python`` kinds: ``python child.py pytest ARGS…`` or ``… python CALL``.

It runs in the interpreter of the tests, which may not have bluegreen: nothing of bluegreen is imported before its
folder has been put last on ``sys.path``. Answers are JSON lines on the descriptor in ``BLUEGREEN_REPORT_FD``.
"""

from __future__ import annotations

import os
import sys

# This folder holds an http.py, which must not hide the standard library's.
if __name__ == "__main__":
    sys.path[0] = os.getcwd()

import importlib
import importlib.util
import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(arguments: list[str]) -> int:
    if _OURS not in sys.path:
        sys.path.append(_OURS)
    kind, *rest = arguments
    return _run_pytest(rest) if kind == "pytest" else _run_callable(rest[0])


def _run_pytest(arguments: list[str]) -> int:
    try:
        import pytest
    except ImportError as error:
        _answer({"unavailable": f"{sys.executable} has no pytest: {error}"})
        return 0
    return int(pytest.main(arguments))


def _run_callable(place: str) -> int:
    from bluegreen.domain.spec import HookPoint
    from bluegreen.hooks.base import HookCall

    told = json.loads(os.environ["BLUEGREEN_CALL"])
    call = HookCall(**{**told, "point": HookPoint(told["point"])})
    try:
        function = _find(place)
    except Exception as error:
        traceback.print_exc()
        _answer({"unavailable": f"{place} cannot be imported: {type(error).__name__}: {error}"})
        return 0
    _answer(_ask(function, call))
    return 0


def _ask(function: Callable[[Any], Any], call: object) -> dict[str, object]:
    from bluegreen.errors import HookUnavailableError

    try:
        return _meaning(_awaited(function(call)))
    except HookUnavailableError as error:
        return {"unavailable": str(error)}
    except AssertionError as error:
        traceback.print_exc()
        return {"failed": str(error).strip() or f"assertion failed{_place(error)}"}
    except BaseException as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}{_place(error)}"}


def _meaning(answer: object) -> dict[str, object]:
    if answer is False:
        return {"failed": "answered False"}
    if answer is None or answer is True:
        return {"passed": ""}
    if isinstance(answer, str):
        return {"passed": answer}
    if isinstance(answer, Mapping):
        return _findings(answer)
    return {"failed": f"answered {type(answer).__name__}; a hook answers None, True, False, text or a mapping"}


def _findings(answer: Mapping[Any, Any]) -> dict[str, object]:
    """Numbers become the verdict's numbers and URLs its links, the rest its detail; ``detail`` itself goes first."""
    from bluegreen.hooks.words import finite

    numbers = finite(answer)
    links = {str(key): value for key, value in answer.items() if _is_link(value)}
    parts = [str(answer["detail"])] if "detail" in answer else []
    parts += [f"{key}={value}" for key, value in answer.items() if key != "detail" and key not in links]
    return {"passed": ", ".join(parts), "numbers": numbers, "links": links}


def _is_link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://", "file://")) and " " not in value


def _awaited(answer: Any) -> Any:
    if not hasattr(answer, "__await__"):
        return answer
    import asyncio

    async def wait() -> Any:
        return await answer

    return asyncio.run(wait())


def _find(place: str) -> Callable[[Any], Any]:
    module_name, _, attributes = place.rpartition(":")
    found: Any = _load(module_name)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    if not callable(found):
        raise TypeError(f"{attributes} is no function")
    return found  # type: ignore[no-any-return]


def _load(name: str) -> object:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location("bluegreen_hook", name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, os.path.dirname(os.path.abspath(name)))
    spec.loader.exec_module(module)
    return module


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""


def _answer(answer: dict[str, object]) -> None:
    os.write(_report_fd(), json.dumps(answer).encode() + b"\n")


def _report_fd() -> int:
    return int(os.environ["BLUEGREEN_REPORT_FD"])


if __name__ == "__main__":
    # What the tests start in turn has no business with the report.
    os.set_inheritable(_report_fd(), False)
    sys.exit(main(sys.argv[1:]))
