"""How a body comes in: its head, its bytes under bounds, unpacked where it was packed."""

from __future__ import annotations

import asyncio
from typing import Final

from ingest.gateway.bodies import MAX_BODY, NotGzip, NotJson, UnpacksTooLarge, check_json, unpack
from ingest.gateway.collector import MAX_RECORD
from ingest.gateway.replies import RETRY, Gone, Refused
from ingest.gateway.shares import Member, Pool
from kernel.telemetry.http import Receive

MAX_READING: Final = 64 * 1024 * 1024


class Head:
    """The request headers that a door looks at."""

    __slots__ = ("_raw", "authorization", "encoding", "kind", "length")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._raw = headers
        self.authorization = self.kind = self.encoding = b""
        self.length = -1
        for name, value in headers:
            if name == b"content-type":
                self.kind = value
            elif name == b"content-length":
                self.length = int(value)
            elif name == b"authorization":
                self.authorization = value
            elif name == b"content-encoding":
                self.encoding = value.strip().lower()

    @property
    def packed(self) -> bool:
        """Whether the body is gzip. Raises Refused for any other encoding."""
        if self.encoding not in (b"", b"identity", b"gzip"):
            raise Refused(415, "encoding", "this content-encoding is not understood; send gzip or none")
        return self.encoding == b"gzip"

    @property
    def media_type(self) -> bytes:
        """The content-type without its parameters, in lower case."""
        return self.kind.partition(b";")[0].strip().lower()

    def all(self) -> dict[str, bytes]:
        """Every header by its name in lower case, repeated ones joined by a comma."""
        found: dict[str, bytes] = {}
        for raw, value in self._raw:
            name = raw.decode("latin-1")
            found[name] = found[name] + b"," + value if name in found else value
        return found


class Intake:
    """Reads bodies. What is being read takes room of a pool, in shares; bodies that come in one piece take none."""

    def __init__(self) -> None:
        self.pool = Pool(MAX_READING)

    async def read(self, head: Head, receive: Receive, member: Member) -> bytes:
        """The whole body as it is sent. What the connection does too slowly is ended by the server's protocol.

        Raises Refused for one that is too large, Gone where it does not come to its end.
        """
        limit = MAX_RECORD if head.packed else MAX_BODY
        if head.length > limit:
            raise _too_large(limit)
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        first: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(first) > limit:
                raise _too_large(limit)
            return first
        body = bytearray(first)
        counted = 0
        self.pool.enter(member)
        try:
            while True:
                if len(body) > limit:
                    raise _too_large(limit)
                if not self.pool.extend(member, len(body) - counted):
                    reason = "over_share" if self.pool.contended(member) else "back_pressure"
                    raise Refused(503, reason, "too many large bodies arrive at once; try again", RETRY)
                counted = len(body)
                if not message.get("more_body", False):
                    return bytes(body)
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                body += message.get("body", b"")
        finally:
            self.pool.give(member, counted)


async def checked(body: bytes, packed: bool) -> bytes:
    """The body unpacked, as JSON. Raises Refused where it is not."""
    plain = await unpacked(body, packed) if packed else body
    must_be_json(plain)
    return plain


def must_be_json(plain: bytes) -> None:
    """Raises Refused where it is not."""
    try:
        check_json(plain)
    except NotJson as error:
        raise Refused(400, "not_json", str(error)) from None


async def unpacked(body: bytes, packed: bool) -> bytes:
    """The body unpacked. Raises Refused where it is no gzip, or too large."""
    if not packed:
        return body
    try:
        return await asyncio.to_thread(unpack, body)
    except NotGzip as error:
        raise Refused(400, "not_gzip", str(error)) from None
    except UnpacksTooLarge as error:
        raise Refused(413, "too_large", str(error)) from None


def _too_large(limit: int) -> Refused:
    return Refused(413, "too_large", f"the body is over the limit of {limit} bytes; send fewer alerts at once")
