"""The alert doors: `POST /api/v2/alerts`, as Alertmanager answers it, and `POST /v1/sources/{source}`.

A plain ASGI application. It checks what needs no model, in this order: method, source, token, size, encoding,
JSON; then the bytes go to Kafka unchanged, and 2xx means that Kafka has them. Whether the alerts in them make
sense is judged behind Kafka, alert by alert.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ingest.gateway.bodies import MAX_BODY, NotGzip, NotJson, UnpacksTooLarge, check_json, pack, unpack
from ingest.gateway.collector import MAX_RECORD, Collector, Headers, HeldBack, NotAcknowledged, Spread
from kernel.config.schema import Config
from kernel.telemetry.http import Receive, Scope, Send
from kernel.telemetry.metrics import Metrics

ALERTMANAGER_PATH: Final = "/api/v2/alerts"
SOURCES_PATH: Final = "/v1/sources/"
ALERTMANAGER_SOURCE: Final = "prometheus"
MAX_READING: Final = 64 * 1024 * 1024
RETRY_AFTER: Final = "2"

_EMPTY_BODY: Final = 602  # the code that Alertmanager's API names beside its 422
_ACCEPTED: Final = orjson.dumps({"status": "accepted"})
_GZIP_HEADER: Final = ("content-encoding", b"gzip")

_Pairs = tuple[tuple[bytes, bytes], ...]


class _Refused(Exception):
    """The request ends here: status, reason for the metric, a sentence for the sender."""

    def __init__(self, status: int, reason: str, sentence: str, headers: _Pairs = (), code: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.headers = headers
        self.code = code or status


class _Gone(Exception):
    """The sender went away before its body was there."""


@dataclass(slots=True)
class _Source:
    """A configured source as the door needs it."""

    name: str
    token: bytes | None = field(repr=False)
    plain: Headers
    packed: Headers
    spread: Spread


class _Head:
    """The request headers that a door looks at."""

    __slots__ = ("authorization", "encoding", "kind", "length")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
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


def serves(path: str) -> bool:
    """Whether a door stands at this path."""
    return path == ALERTMANAGER_PATH or path.startswith(SOURCES_PATH)


class Door:
    """Both doors. `config` gives the configuration in force, so that a reload takes effect with the next request."""

    def __init__(self, config: Callable[[], Config], collector: Collector, metrics: Metrics) -> None:
        self._config = config
        self._collector = collector
        self._metrics = metrics
        self._of: Config | None = None
        self._generation = 0
        self._sources: dict[str, _Source] = {}
        self._counters: dict[tuple[str, int], Any] = {}
        self._reading = 0
        metrics.door_unacknowledged_bytes.set_function(lambda: collector.unacknowledged)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        alertmanager = path == ALERTMANAGER_PATH
        name = ALERTMANAGER_SOURCE if alertmanager else path[len(SOURCES_PATH) :]
        try:
            _check_method(scope["method"])
            source = self._source(name)
            head = _Head(scope["headers"])
            _authorise(source, head.authorization)
            await self._take(source, head, receive, alertmanager)
        except _Refused as refused:
            await self._refuse(send, name, refused, alertmanager)
        except _Gone:
            self._metrics.door_refused_total.labels(self._metrics.source(name), "incomplete").inc()
        else:
            self._count(name, 200 if alertmanager else 202)
            if alertmanager:
                await _answer(send, 200, b"")
            else:
                await _answer(send, 202, _ACCEPTED, _JSON)

    def _source(self, name: str) -> _Source:
        config = self._config()
        if config is not self._of or self._generation != self._collector.generation:
            self._sources = {
                known: _Source(
                    known,
                    settings.token.reveal().encode() if settings.token else None,
                    [("source", known.encode())],
                    [("source", known.encode()), _GZIP_HEADER],
                    self._collector.spread(known),
                )
                for known, settings in config.sources.items()
            }
            self._of, self._generation = config, self._collector.generation
        source = self._sources.get(name)
        if source is None:
            shown = name if len(name) <= 100 else f"{name[:100]}..."
            raise _Refused(
                404, "unknown_source", f"no source is named {shown!r}; the configuration names them under `sources`"
            )
        return source

    async def _take(self, source: _Source, head: _Head, receive: Receive, alertmanager: bool) -> None:
        packed = head.encoding == b"gzip"
        if head.encoding not in (b"", b"identity", b"gzip"):
            raise _Refused(415, "encoding", "this content-encoding is not understood; send gzip or none")
        body = await self._read(head, receive, MAX_RECORD if packed else MAX_BODY)
        if alertmanager:
            _check_as_alertmanager(head, body)
        try:
            check_json(await asyncio.to_thread(unpack, body) if packed else body)
        except NotJson as error:
            raise _Refused(400, "not_json", str(error)) from None
        except NotGzip as error:
            raise _Refused(400, "not_gzip", str(error)) from None
        except UnpacksTooLarge as error:
            raise _Refused(413, "too_large", str(error)) from None
        if len(body) > MAX_RECORD:
            whole = len(body)
            body = await asyncio.to_thread(pack, body)
            packed = True
            if len(body) > MAX_RECORD:
                sentence = f"{whole} bytes are {len(body)} by gzip, over the limit of {MAX_RECORD}; send fewer alerts"
                raise _Refused(413, "too_large", sentence)
        try:
            await self._collector.submit(source.spread, body, source.packed if packed else source.plain)
        except HeldBack as error:
            raise _Refused(503, "back_pressure", f"try again: {error}", _RETRY) from None
        except NotAcknowledged as error:
            raise _Refused(503, "not_acknowledged", f"try again: {error}", _RETRY) from None

    async def _read(self, head: _Head, receive: Receive, limit: int) -> bytes:
        """The whole body. What the connection does too slowly is ended by the server's protocol."""
        if head.length > limit:
            raise _too_large(limit)
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        first: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(first) > limit:
                raise _too_large(limit)
            return first
        body = bytearray(first)
        counted = 0
        try:
            while True:
                self._reading += len(body) - counted
                counted = len(body)
                if counted > limit:
                    raise _too_large(limit)
                if self._reading > MAX_READING:
                    raise _Refused(503, "back_pressure", "too many large bodies arrive at once; try again", _RETRY)
                if not message.get("more_body", False):
                    return bytes(body)
                message = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                body += message.get("body", b"")
        finally:
            self._reading -= counted

    async def _refuse(self, send: Send, name: str, refused: _Refused, alertmanager: bool) -> None:
        self._metrics.door_refused_total.labels(self._metrics.source(name), refused.reason).inc()
        self._count(name, refused.status)
        if alertmanager:
            body = orjson.dumps({"code": refused.code, "message": refused.sentence})
        else:
            body = orjson.dumps({"error": refused.sentence})
        await _answer(send, refused.status, body, _JSON + refused.headers)

    def _count(self, name: str, status: int) -> None:
        name = self._metrics.source(name)
        counter = self._counters.get((name, status))
        if counter is None:
            counter = self._counters[name, status] = self._metrics.door_requests_total.labels(name, str(status))
        counter.inc()


_JSON: Final[_Pairs] = ((b"content-type", b"application/json"),)
_RETRY: Final[_Pairs] = ((b"retry-after", RETRY_AFTER.encode()),)
_CHALLENGE: Final[_Pairs] = (
    (b"www-authenticate", b'Bearer realm="stormfold"'),
    (b"www-authenticate", b'Basic realm="stormfold", charset="UTF-8"'),
)


def _too_large(limit: int) -> _Refused:
    return _Refused(413, "too_large", f"the body is over the limit of {limit} bytes; send fewer alerts at once")


def _check_method(method: str) -> None:
    if method != "POST":
        raise _Refused(405, "method", f"{method} is not allowed here; use POST", ((b"allow", b"POST"),))


def _authorise(source: _Source, given: bytes) -> None:
    """Bearer, or basic with any user; compared in constant time."""
    if source.token is None:
        return
    scheme, _, credentials = given.strip().partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() == b"basic":
        try:
            _, _, credentials = base64.b64decode(credentials, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            credentials = b""
    elif scheme.lower() != b"bearer":
        credentials = b""
    if not hmac.compare_digest(credentials, source.token):
        sentence = f"source {source.name!r} asks for its token, as bearer or as the password of basic authentication"
        raise _Refused(401, "unauthorised", sentence, _CHALLENGE)


def _check_as_alertmanager(head: _Head, body: bytes) -> None:
    """What Alertmanager's own door refuses before it looks into the body."""
    if not body:
        raise _Refused(422, "empty", "alerts in body is required", code=_EMPTY_BODY)
    kind = head.kind.partition(b";")[0].strip().lower()
    if head.kind and not kind:
        raise _Refused(400, "content_type", "the Content-Type header names no media type")
    if kind != b"application/json":
        shown = kind.decode("ascii", "replace")[:100] or "application/octet-stream"
        sentence = f'unsupported media type "{shown}", only [application/json] are allowed'
        raise _Refused(415, "content_type", sentence)


async def _answer(send: Send, status: int, body: bytes, headers: _Pairs = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
