"""Posting bodies over keep-alive connections, one request in flight on each, at as little cost as can be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast
from urllib.parse import urlsplit

PATH = "/api/v2/alerts"
ROOM = 120.0


class PostFailed(RuntimeError):
    """A request was not answered with 200."""


class _Connection(asyncio.Protocol):
    def __init__(self, head: bytes, left: deque[bytes], done: asyncio.Future[None]) -> None:
        self._head = head
        self._left = left
        self._done = done
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        if not self._left:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        body = self._left.popleft()
        self._transport.write(self._head + b"%d\r\n\r\n" % len(body) + body)

    def data_received(self, data: bytes) -> None:
        seen = self._seen + data if self._seen else data
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            self._seen = seen
            return
        head = seen[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(seen) < end + 4 + length:
            self._seen = seen
            return
        self._seen = b""
        if not seen.startswith(b"HTTP/1.1 200"):
            self._fail(seen[:500].decode(errors="replace"))
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed: {exc}")

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(PostFailed(why))
        if self._transport is not None:
            self._transport.close()


async def post(url: str, bodies: Sequence[bytes], connections: int) -> None:
    """POST every body to `url`/api/v2/alerts. Raises PostFailed at the first answer that is not 200."""
    where = urlsplit(url)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
    ).encode()
    loop = asyncio.get_running_loop()
    left = deque(bodies)
    waiting = []
    for _ in range(min(connections, len(bodies))):
        done: asyncio.Future[None] = loop.create_future()
        make = partial(_Connection, head, left, done)
        await loop.create_connection(make, str(where.hostname), int(where.port or 80))
        waiting.append(done)
    async with asyncio.timeout(ROOM):
        await asyncio.gather(*waiting)
