"""Takes webhooks and answers at once; what came is looked at later, so that looking is not part of what is measured."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import cast

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_BACKLOG = 16_384


class Webhooks:
    """Every request's body with the moment of its answer, in ms. Repeats are kept."""

    def __init__(self) -> None:
        self.bodies: list[tuple[float, bytes]] = []
        self.url = ""


class _Receiver(asyncio.Protocol):
    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._seen.lower().find(b"content-length:", 0, end)
        length = int(self._seen[at + 15 : end].split(b"\r\n", 1)[0])
        if len(self._seen) >= end + 4 + length:
            body, self._seen = self._seen[end + 4 : end + 4 + length], b""
            self._transport.write(_ANSWER)
            self._webhooks.bodies.append((time.time_ns() / 1e6, body))


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Webhooks]:
    """A receiver on a free port; its URL is in what it yields."""
    webhooks = Webhooks()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Receiver(webhooks), "127.0.0.1", 0, backlog=_BACKLOG)
    webhooks.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield webhooks
    finally:
        server.close()
