"""The incident API for people and tools: what is open and why, and the answers that a person may give.

It reads the correlator's and the notifier's keys and writes nothing there: an answer goes to `answers.raw` and the
effect is awaited. Every error is JSON, `{"error": sentence}`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import zlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final

import msgspec
import uuid_utils
from aiokafka.errors import KafkaError
from litestar import Litestar, Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, FromQuery, QueryParameter

from ingest.adapters.commands import Commands
from ingest.gateway.changes import ChangeList, changes_view, since_when
from ingest.gateway.link import Link
from ingest.gateway.views import (
    Answer,
    Effect,
    IncidentList,
    IncidentView,
    Problem,
    Queued,
    detail_view,
    listing_view,
)
from kernel.bus.publisher import Record, publish
from kernel.bus.topic_ids import TopicMetadataError, UnknownTopics, topic_ids
from kernel.context import Context
from kernel.model.codec import Undecodable, encode
from kernel.model.incident import IncidentStatus, Priority
from kernel.model.naming import shard_of_incident
from kernel.model.signals import CommandBody, CommandEnvelope, Verb
from kernel.model.state import IncidentDoc, KnownChange
from kernel.store.changes import ChangeReader
from kernel.store.client import StoreUnavailable
from kernel.store.incidents import IncidentReader, NeverStarted, ShardLost
from kernel.telemetry.http import Asgi

EFFECT_SECONDS: Final = 5.0
PUBLISH_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05
MAX_BODY: Final = 64 * 1024
COMMAND_SOURCE: Final = Commands.name.encode()
log = logging.getLogger(__name__)

_Limit = Annotated[int, QueryParameter(ge=1, le=1_000, description="at most so many")]


class _Away(Exception):
    """Kafka or Redis does not answer; the message says what that means for the caller."""


class Desk:
    """What the handlers share."""

    def __init__(self, context: Context, link: Link) -> None:
        self.context = context
        self.reader = IncidentReader(context.store, context.keys, context.settings.shards)
        self.changes = ChangeReader(context.store, context.keys, context.settings.shards)
        self._link = link
        secret = context.settings.operator_token
        self._token = secret.get_secret_value().encode() if secret is not None else None

    def admit(self, given: str) -> None:
        """Raises HTTPException unless this is the operator's token."""
        if self._token is None:
            raise HTTPException(
                status_code=403,
                detail="the incident API is shut: set STORMFOLD_OPERATOR_TOKEN at the gateway to open it",
            )
        scheme, _, token = given.strip().partition(" ")
        offered = token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
        if not hmac.compare_digest(offered, self._token):
            raise HTTPException(
                status_code=401,
                detail="this needs the operator's token: Authorization: Bearer ...",
                headers={"www-authenticate": 'Bearer realm="stormfold"'},
            )

    async def find(self, incident: str) -> IncidentDoc:
        """The incident, or a 404."""
        doc = await self.reader.get(incident)
        if doc is None:
            raise _unknown(incident)
        return doc

    async def before(self, doc: IncidentDoc) -> list[KnownChange]:
        """Changes of the incident's tenant before it opened. Labels make domains: then they may be in any shard."""
        shards: Sequence[int] = range(self.context.settings.shards)
        own = shard_of_incident(doc.id)
        if own is not None and not self.context.config().correlation.domain:
            shards = (own,)
        return await self.changes.before(doc.tenant, doc.opened_at, shards)

    async def command(self, incident: str, verb: Verb, answer: Answer) -> Effect | Queued:
        """Publish a command and wait for its effect."""
        doc = await self.find(incident)
        if doc.status in (IncidentStatus.CLOSED, IncidentStatus.WITHDRAWN):
            raise HTTPException(
                status_code=409, detail=f"incident {incident} is {doc.status}; nothing is left to answer"
            )
        command = str(uuid_utils.uuid7())
        await self._publish(CommandBody(command, verb, incident, answer.by, answer.note))
        loop = asyncio.get_running_loop()
        end = loop.time() + EFFECT_SECONDS
        while loop.time() < end:
            try:
                found = await self.reader.get(incident)
            except (StoreUnavailable, ShardLost, NeverStarted):
                found = None  # the command stands on Kafka all the same
            if found is not None and command in found.answers:
                return Effect(status=found.status, firing=found.firing + found.handled, command=command)
            await asyncio.sleep(POLL_SECONDS)
        return Queued(command=command)

    async def _publish(self, body: CommandBody) -> None:
        topic = self.context.topics.answers
        key = body.incident.encode()
        record = Record(encode(CommandEnvelope(body)), key, [("source", COMMAND_SOURCE)])
        producer = self._link.producer
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                partitions = (await topic_ids(producer.client, [topic]))[topic].partitions
                # The topic's partition count is fixed, so an incident's commands stay in one partition, in order.
                await publish(producer, topic, zlib.crc32(key) % partitions, [record])
        except (KafkaError, OSError, TimeoutError, UnknownTopics, TopicMetadataError) as error:
            if isinstance(error, KafkaError):
                self._link.suspect(producer)
            raise _Away(
                f"Kafka did not acknowledge the command ({type(error).__name__}); it may or may not take effect: "
                "look at the incident, then try again"
            ) from error


def _unknown(incident: str) -> HTTPException:
    shown = incident if len(incident) <= 64 else f"{incident[:64]}..."
    return HTTPException(status_code=404, detail=f"there is no incident {shown!r}; the list of incidents names them")


def _desk(state: State) -> Desk:
    desk: Desk = state["desk"]
    return desk


def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    del handler
    _desk(connection.app.state).admit(connection.headers.get("authorization", ""))


_ERRORS: Final = {
    code: ResponseSpec(data_container=Problem, description=text, generate_examples=False)
    for code, text in (
        (400, "A parameter or the body is wrong"),
        (401, "The operator's token is missing or wrong"),
        (403, "No operator token is configured"),
        (404, "No such incident"),
        (409, "The incident is closed"),
        (503, "Kafka, Redis or the incident's shard is away"),
    )
}


@get("/incidents", responses=_ERRORS, summary="Incidents, live ones first, then by priority")
async def list_incidents(
    state: State,
    status: FromQuery[list[IncidentStatus] | None] = None,
    priority: FromQuery[list[Priority] | None] = None,
    team: FromQuery[str | None] = None,
    limit: _Limit = 100,
) -> Response[IncidentList]:
    """Filters that repeat are alternatives. 503 where shards are lost; the incidents of the others are in it."""
    listing = await _desk(state).reader.list(status or (), priority or (), team, limit)
    return Response(listing_view(listing), status_code=503 if listing.lost else 200)


@get("/incidents/{incident:str}", responses=_ERRORS, summary="One incident: what is open and why")
async def show_incident(state: State, incident: FromPath[str]) -> IncidentView:
    """Score with reasons, rule, group key, window, members, timeline, deliveries, team."""
    desk = _desk(state)
    detail = await desk.reader.detail(incident)
    if detail is None:
        raise _unknown(incident)
    return detail_view(detail, desk.context.config(), await desk.before(detail.doc))


@get("/changes", responses=_ERRORS, summary="Recent changes of the systems, newest first")
async def list_changes(
    state: State,
    since: FromQuery[str | None] = None,
    service: FromQuery[str | None] = None,
    limit: _Limit = 100,
) -> Response[ChangeList]:
    """`since` is how long ago (`2h`) or a time of RFC 3339. 503 where shards are lost; the rest is in it."""
    desk = _desk(state)
    try:
        start = 0 if since is None else since_when(since, desk.context.clock.now_ms())
    except ValueError as error:
        raise HTTPException(status_code=400, detail=str(error)) from None
    listing = await desk.changes.recent(start, service, limit)
    return Response(changes_view(listing), status_code=503 if listing.lost else 200)


async def _answer(request: Request[Any, Any, Any], incident: str, verb: Verb) -> Response[Effect | Queued]:
    body = await request.body()
    try:
        answer = msgspec.json.decode(body, type=Answer) if body.strip() else Answer()
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise HTTPException(status_code=400, detail=f'the body is not {{"by": text, "note": text}}: {error}') from None
    if verb is Verb.NOTE and not answer.note.strip():
        raise HTTPException(status_code=400, detail='there is no note: write {"note": text}')
    result = await _desk(request.app.state).command(incident, verb, answer)
    return Response(result, status_code=202 if isinstance(result, Queued) else 200)


_QUEUED: Final = ResponseSpec(data_container=Queued, description="On Kafka; no effect in 5 s", generate_examples=False)


@post(
    "/incidents/{incident:str}/ack",
    status_code=200,
    responses={**_ERRORS, 202: _QUEUED},
    summary="Acknowledge an incident",
)
async def acknowledge(request: Request[Any, Any, Any], incident: FromPath[str]) -> Response[Effect | Queued]:
    """The body may be `{"by": text, "note": text}`. Returns when the effect shows, 202 when it does not in 5 s."""
    return await _answer(request, incident, Verb.ACKNOWLEDGE)


@post(
    "/incidents/{incident:str}/resolve",
    status_code=200,
    responses={**_ERRORS, 202: _QUEUED},
    summary="Resolve an incident; `firing` says how many members still fire",
)
async def resolve(request: Request[Any, Any, Any], incident: FromPath[str]) -> Response[Effect | Queued]:
    """As for an acknowledgement."""
    return await _answer(request, incident, Verb.RESOLVE)


@post(
    "/incidents/{incident:str}/note",
    status_code=200,
    responses={**_ERRORS, 202: _QUEUED},
    summary="Write a note into an incident's timeline",
)
async def note(request: Request[Any, Any, Any], incident: FromPath[str]) -> Response[Effect | Queued]:
    """As for an acknowledgement, with a `note` that is not empty."""
    return await _answer(request, incident, Verb.NOTE)


def _problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response[Problem]:
    return Response(Problem(error=sentence), status_code=status, headers=headers, media_type="application/json")


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    sentence = str(error.detail)
    if error.status_code == 404 and not request.url.path.startswith("/api/v1/incidents/"):
        sentence = "not found; the paths are described at /schema/openapi.json"
    extra = error.extra if isinstance(error.extra, list) else []
    details = [f"{item.get('key', '')}: {item.get('message', '')}" for item in extra if isinstance(item, dict)]
    if details:
        sentence = "; ".join([sentence, *details])
    return _problem(error.status_code, sentence, dict(error.headers or {}))


def _on_away(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    del request
    sentence = str(error)
    if isinstance(error, StoreUnavailable):
        sentence = "Redis does not answer, so incidents cannot be told now; try again"
    return _problem(503, sentence, {"retry-after": "2"})


def _on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _problem(500, "stormfold made an error here; its log has the details")


def _version() -> str:
    try:
        return version("stormfold")
    except PackageNotFoundError:
        return "0"


_HANDLERS: Final = [list_incidents, show_incident, acknowledge, resolve, note, list_changes]


def incident_api(context: Context, link: Link) -> Asgi:
    """The API as an ASGI application."""
    away = (StoreUnavailable, ShardLost, NeverStarted, Undecodable, _Away)
    handlers: dict[Any, Any] = {HTTPException: _on_http, 500: _on_bug, Exception: _on_bug}
    handlers |= dict.fromkeys(away, _on_away)
    return Litestar(  # type: ignore[return-value]
        [Router("/api/v1", route_handlers=_HANDLERS, guards=[_guard])],
        state=State({"desk": Desk(context, link)}),
        exception_handlers=handlers,
        logging_config=None,
        request_max_body_size=MAX_BODY,
        openapi_config=OpenAPIConfig(
            title="stormfold",
            version=_version(),
            path="/schema",
            render_plugins=[JsonRenderPlugin()],
            security=[{"operator": []}],
            components=Components(
                security_schemes={
                    "operator": SecurityScheme(type="http", scheme="bearer", description="operator token")
                }
            ),
        ),
    )
