"""``webhook``: the fact posted as JSON. Its ``text`` is what Slack and chats like it show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.exchange import NoAnswerError, Request, exchange, tls_context
from bluegreen.hooks.running import Surroundings
from bluegreen.notify.base import Fact
from bluegreen.notify.shape import fact_data

if TYPE_CHECKING:
    from bluegreen.notify.settings import WebhookSettings


class WebhookNotifier:
    """Told is any 2xx. A chat's address is its password, so no message shows more of it than the host."""

    def __init__(self, settings: WebhookSettings, timeout: float, around: Surroundings) -> None:
        self._settings = settings
        self._timeout = timeout
        self._around = around

    def tell(self, fact: Fact) -> None:
        settings = self._settings
        host = urlsplit(settings.url).hostname or ""
        body = json.dumps({"text": fact.text, **settings.body, "bluegreen": fact_data(fact)}, default=str)
        headers = {"Content-Type": "application/json", "User-Agent": "bluegreen", **settings.headers}
        tls = tls_context(settings.verify) if settings.url.startswith("https:") else None
        request = Request(f"POST {host}", "POST", settings.url, headers, body.encode(), self._timeout, tls)
        try:
            answer = exchange(request, self._around.clock)
        except NoAnswerError as error:
            raise HookUnavailableError(f"{host}: {error}") from None
        if not 200 <= answer.status < 300:
            raise HookUnavailableError(f"{host} answered {answer.status}")
