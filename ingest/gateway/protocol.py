"""Bounds on what a connection may do, below every application: slow senders and endless heads.

uvicorn bounds only idle connections. Here a whole request has to arrive within `REQUEST_SECONDS`, a head that is not
complete after `MAX_HEAD` bytes and one read of the socket is refused, and what still comes after the answer is
thrown away up to `MAX_DISCARDED` bytes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

REQUEST_SECONDS: float = 15.0
MAX_HEAD: Final = 64 * 1024
MAX_DISCARDED: Final = 8 * 1024 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools with those bounds. A request that arrives in one piece pays for no timer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving = True
        self._in_head = True
        self._head_bytes = 0
        self._discarded = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self._arriving:
            self._forget_timer()
            return
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_SECONDS, self._too_late)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._end(431, f"the request head is over {MAX_HEAD} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arriving = self._in_head = True
        self._head_bytes = self._discarded = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > MAX_DISCARDED:
                self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving = False
        super().on_message_complete()

    def _forget_timer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        self._end(408, f"the request did not arrive within {REQUEST_SECONDS:.0f} s")

    def _end(self, status: int, sentence: str) -> None:
        if self.transport.is_closing():
            return
        answered = self.cycle is not None and not self._in_head and self.cycle.response_started
        waiting = self.cycle is not None and self._in_head and not self.cycle.response_complete
        # A response of another request on its way must not be mixed with ours.
        if not answered and not waiting and self._head_bytes + (not self._in_head):
            head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(sentence) + sentence.encode())
        self.transport.close()
