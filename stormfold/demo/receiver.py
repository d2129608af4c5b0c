"""The receiver of pages in the demo: answers every signed webhook and remembers when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from kernel.clock import Clock, Millis
from kernel.config.values import Secret
from notifier.channels.webhook import signature, signing_keys


@dataclass(frozen=True)
class Answered:
    """One delivery that was answered with 200: when, on which path, and what it said."""

    at: Millis
    path: str
    action: str
    incident: str
    title: str


@dataclass
class Receiver:
    """An HTTP server on 127.0.0.1. `answered` are first copies by delivery id; `copies` counts the others.

    `tell` hears of each first copy.
    """

    clock: Clock
    secret: str = field(repr=False)
    answered: dict[str, Answered] = field(default_factory=dict)
    copies: int = 0
    tell: Callable[[Answered], None] | None = None
    url: str = ""

    def __post_init__(self) -> None:
        self._keys = signing_keys(Secret("env:DEMO_SIGNING", self.secret))
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/{target:page|chat}", self._take)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=1.0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "0")
        if request.headers.get("webhook-signature") != signature(self._keys, name, int(stamp), body):
            return web.Response(status=401)
        if name in self.answered:
            self.copies += 1
            return web.Response()
        data = orjson.loads(body)["data"]
        answered = Answered(self.clock.now_ms(), request.path, data["action"], data["incident"], data["title"])
        self.answered[name] = answered
        if self.tell is not None:
            self.tell(answered)
        return web.Response()
