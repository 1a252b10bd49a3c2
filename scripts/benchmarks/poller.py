"""Asks a URL two hundred times a second, and writes a line when the answering image changes; a process of its own.

``poller.py URL``: lines ``MONOTONIC IMAGE ASKED_BEFORE``: when the first answer of IMAGE had come, and when
the question before it was sent. The change lies between the two.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit


def main() -> None:
    connection = http.client.HTTPConnection(urlsplit(sys.argv[1]).netloc, timeout=5)
    pause = threading.Event()
    last, before = "", time.monotonic()
    while True:
        asked = time.monotonic()
        connection.request("GET", "/")
        image = json.loads(connection.getresponse().read()).get("image", "?")
        if image != last:
            print(f"{time.monotonic():.6f} {image} {before:.6f}", flush=True)  # noqa: T201
            last = image
        before = asked
        pause.wait(0.005)


main()
