"""Users of the service, for locust: they ask without pause and look at every answer.

An answer is right when it is a 200 with JSON that names an image; it is counted under that image, so that the
statistics tell who answered how many. Anything else is a failure. ``PATHS`` (comma separated) is what they ask for.
"""

from __future__ import annotations

import os

from locust import FastHttpUser, constant_throughput, task

PATHS = os.environ.get("PATHS", "/orders").split(",")
PER_USER = float(os.environ.get("REQUESTS_PER_SECOND_AND_USER", "1000"))


class Visitor(FastHttpUser):
    wait_time = constant_throughput(PER_USER)
    network_timeout = 10.0
    connection_timeout = 5.0
    # A user notices every failure: nothing is tried again behind their back.
    max_retries = 0

    @task
    def ask(self) -> None:
        for path in PATHS:
            with self.client.get(path, catch_response=True) as response:
                try:
                    image = response.json()["image"]
                except (ValueError, KeyError, TypeError):
                    response.failure(f"status {response.status_code}: no JSON with an image")
                    continue
                response.request_meta["name"] = image
                if response.status_code != 200:
                    response.failure(f"status {response.status_code}")
