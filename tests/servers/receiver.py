"""An HTTP receiver that keeps what it was sent and answers as it is told."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, before anything judged it. ``at`` is ``time.monotonic()`` seconds."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float

    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets. ``close`` ends the connection without an answer, after ``delay_s``."""

    status: int = 200
    delay_s: float = 0.0
    close: bool = False
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class Receiver:
    """An HTTP server on a free port that takes any method and path.

    Every request is in ``received`` before its answer is chosen: first from ``script``, one each, then ``default``.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[Answer] = deque()
        self.default = Answer()
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Listen; ``url`` is then ``http://127.0.0.1:PORT``."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def answers(self, *answers: Answer | int) -> None:
        """Script the next answers; a number is a status."""
        self.script.extend(Answer(status=answer) if isinstance(answer, int) else answer for answer in answers)

    def on(self, path: str) -> Sequence[Received]:
        """What came to one path, repeats included."""
        return [request for request in self.received if request.path == path]

    def distinct(self, key: Callable[[Received], str]) -> dict[str, list[Received]]:
        """Requests by a key of the sender (a delivery id, say): more than one under a key are repeats."""
        groups: dict[str, list[Received]] = {}
        for request in self.received:
            groups.setdefault(key(request), []).append(request)
        return groups

    async def wait_for(self, enough: Callable[[list[Received]], bool], deadline_s: float = 30.0) -> list[Received]:
        """Wait until ``enough(received)`` holds. Raises TimeoutError that says what had come by then."""
        until = time.monotonic() + deadline_s
        while not enough(self.received):
            self._changed.clear()
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.0, left))
            except TimeoutError:
                seen = [f"{request.method} {request.path} {request.body[:200]!r}" for request in self.received]
                raise TimeoutError(f"not enough within {deadline_s} s; {len(seen)} received: {seen[-10:]}") from None
        return self.received

    async def wait_count(self, count: int, deadline_s: float = 30.0) -> list[Received]:
        """Wait for that many requests, repeats included."""
        return await self.wait_for(lambda received: len(received) >= count, deadline_s)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.method, request.path_qs, headers, body, time.monotonic()))
        answer = self.script.popleft() if self.script else self.default
        self._changed.set()
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        if answer.close and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
