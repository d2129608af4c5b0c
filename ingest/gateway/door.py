"""The alert doors: `POST /api/v2/alerts`, as Alertmanager answers it, and `POST /v1/sources/{source}`.

A plain ASGI application. It checks what needs no model, in this order: method, source, encoding, size, proof of
origin, JSON; then the bytes go to Kafka unchanged, and 2xx means that Kafka has them. Whether the alerts in them make
sense is judged behind Kafka, alert by alert. A proof that stands in the head is asked for before the body is read.
"""

from __future__ import annotations

from typing import Final, NoReturn

import orjson

from ingest.adapters.base import Handshake, Reply
from ingest.gateway.intake import Head, Intake, must_be_json, unpacked
from ingest.gateway.lanes import Headers
from ingest.gateway.replies import JSON, RETRY, Gone, Refused, Tally, answer
from ingest.gateway.sources import Source, Sources
from ingest.origin.base import NotProven, Proven, Request
from ingest.origin.certificates import Certificates, NotConfirmed
from ingest.origin.replay import ReplayGuard
from kernel.clock import Clock
from kernel.telemetry.http import Receive, Scope, Send

ALERTMANAGER_PATH: Final = "/api/v2/alerts"
SOURCES_PATH: Final = "/v1/sources/"
ALERTMANAGER_SOURCE: Final = "prometheus"

_EMPTY_BODY: Final = 602  # the code that Alertmanager's API names beside its 422
_FORM: Final = b"application/x-www-form-urlencoded"
_UNPROVEN: Final = Proven()
_AS_ALERTMANAGER: Final = Reply(200, b"", b"")
_ACCEPTED: Final = Reply(202, orjson.dumps({"status": "accepted"}))


def serves(path: str) -> bool:
    """Whether a door stands at this path."""
    return path == ALERTMANAGER_PATH or path.startswith(SOURCES_PATH)


class Door:
    """Both doors."""

    def __init__(
        self,
        sources: Sources,
        intake: Intake,
        guard: ReplayGuard,
        certificates: Certificates,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._intake = intake
        self._guard = guard
        self._certificates = certificates
        self._tally = tally
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        alertmanager = path == ALERTMANAGER_PATH
        name = ALERTMANAGER_SOURCE if alertmanager else path[len(SOURCES_PATH) :]
        try:
            if scope["method"] != "POST":
                _refuse_method(scope["method"])
            source = self._sources.find(name) or _refuse_name(name)
            reply = await self._take(source, scope, receive, alertmanager)
        except Refused as refused:
            self._tally.refused(name, refused)
            said = {"code": refused.code, "message": refused.sentence} if alertmanager else {"error": refused.sentence}
            await answer(send, refused.status, orjson.dumps(said), JSON + refused.headers)
        except Gone:
            self._tally.gone(name)
        else:
            self._tally.answered(name, reply.status)
            kind = JSON if reply is _ACCEPTED else ((b"content-type", reply.kind),) if reply.kind else ()
            await answer(send, reply.status, reply.body, kind)

    async def _take(self, source: Source, scope: Scope, receive: Receive, alertmanager: bool) -> Reply:
        head = Head(scope["headers"])
        proven = _UNPROVEN
        if source.early:
            proven = await self._prove(source, scope, head, b"")
        packed = head.packed
        body = await self._intake.read(head, receive, source.reading)
        if source.prover is not None and not source.early:
            proven = await self._prove(source, scope, head, body)
        if alertmanager:
            _check_as_alertmanager(head, body)
        form = source.forms and head.media_type == _FORM
        plain = await unpacked(body, packed) if packed else body
        if not form:
            must_be_json(plain)
        reply = _AS_ALERTMANAGER if alertmanager else source.accepted or _ACCEPTED
        if source.greets and (handshake := _handshake(source, plain, head)) is not None:
            return await self._greet(source, handshake)
        if proven.replay and await self._guard.seen(source.name, proven.replay):
            return reply
        if form or source.passed_on:
            headers, extra = _passed_on(source, head, form)
            await source.way.forward(body, headers, packed=packed, extra=extra)
        else:
            await source.way.forward(body, source.plain, packed=packed)
        if proven.replay:
            await self._guard.remember(source.name, proven.replay, proven.remember)
        return reply

    async def _prove(self, source: Source, scope: Scope, head: Head, body: bytes) -> Proven:
        assert source.prover is not None
        path = scope.get("raw_path") or scope["path"].encode()
        headers = {"authorization": head.authorization} if source.bearer else head.all()
        request = Request(scope["method"], path.decode("latin-1"), scope["query_string"], headers, body)
        try:
            return await source.prover.check(request, self._clock.now_ms())
        except NotProven as error:
            raise Refused(error.status, error.reason, error.sentence, error.headers) from None

    async def _greet(self, source: Source, handshake: Handshake) -> Reply:
        """Answer what only opens or closes a connection; nothing of it goes on."""
        if handshake.confirm:
            if source.prover is None:
                sentence = f"source {source.name!r} has no proof of origin, so nothing that it asks for is confirmed"
                raise Refused(403, "unconfirmed", f"{sentence}; set its `proof`")
            try:
                await self._certificates.confirm(handshake.confirm)
            except NotConfirmed as error:
                raise Refused(503, "unconfirmed", f"try again: {error}", RETRY) from None
        return handshake.reply


def _handshake(source: Source, plain: bytes, head: Head) -> Handshake | None:
    assert source.adapter is not None
    texts = {name: value.decode("utf-8", "replace") for name, value in head.all().items()}
    return source.adapter.handshake(plain, texts)


def _passed_on(source: Source, head: Head, form: bool) -> tuple[Headers, int]:
    """The record's headers, and the bytes of those that came with the request."""
    given = head.all()
    names = ("content-type", *source.passed_on) if form else source.passed_on
    more = [(name, given[name]) for name in dict.fromkeys(names) if name in given]
    return [*source.plain, *more], sum(len(value) for _, value in more)


def _refuse_method(method: str) -> NoReturn:
    raise Refused(405, "method", f"{method} is not allowed here; use POST", ((b"allow", b"POST"),))


def _refuse_name(name: str) -> NoReturn:
    shown = name if len(name) <= 100 else f"{name[:100]}..."
    sentence = f"no source is named {shown!r}; the configuration names them under `sources`"
    raise Refused(404, "unknown_source", sentence)


def _check_as_alertmanager(head: Head, body: bytes) -> None:
    """What Alertmanager's own door refuses before it looks into the body."""
    if not body:
        raise Refused(422, "empty", "alerts in body is required", code=_EMPTY_BODY)
    kind = head.media_type
    if head.kind and not kind:
        raise Refused(400, "content_type", "the Content-Type header names no media type")
    if kind != b"application/json":
        shown = kind.decode("ascii", "replace")[:100] or "application/octet-stream"
        sentence = f'unsupported media type "{shown}", only [application/json] are allowed'
        raise Refused(415, "content_type", sentence)
