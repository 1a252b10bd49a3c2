"""Version check: what answers on the test route is the release that was deployed, not the one before it.

    hooks:
      test:
        - {python: {call: "hooks/version_check.py:check"}}

The expected version is the tag of the first image (or of ``VERSION_CONTAINER``'s); ``VERSION_PATH`` and
``VERSION_KEY`` say where the service tells its own. Every task is asked: ``VERSION_TIMES`` requests in a row.
"""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any


def check(call: Any) -> dict[str, object]:
    wanted = expected(json.loads(call.facts["images"]))
    times = int(os.environ.get("VERSION_TIMES", "10"))
    for number in range(1, times + 1):
        version = live(call)
        assert version == wanted, f"version {version} answers, {wanted} was deployed (request {number} of {times})"
    return {"detail": f"version {wanted}", "requests": times}


def expected(images: dict[str, str]) -> str:
    container = os.environ.get("VERSION_CONTAINER") or next(iter(images))
    tag = images[container].partition("@")[0].rpartition("/")[2].partition(":")[2]
    assert tag, f"the image {images[container]} of {container} has no tag to compare with"
    return tag


def live(call: Any) -> str:
    name, colon, value = call.facts.get("test_header", "").partition(":")
    headers = {name.strip(): value.strip()} if colon else {}
    url = call.base_url + os.environ.get("VERSION_PATH", "/health")
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return str(json.load(answer)[os.environ.get("VERSION_KEY", "version")])
