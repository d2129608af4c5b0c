"""From a raw record to what is in it: the source, its adapter, glances at known alerts, full alerts of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiokafka.structs import ConsumerRecord

from ingest.adapters.base import Adapter, Glance, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.generic import Generic
from ingest.adapters.registry import UnknownAdapter, adapter_for, detect, nearest
from ingest.adapters.unpack import unpack
from ingest.heartbeats import Beating
from kernel.config.schema import Config, SourceConfig
from kernel.model.alert import Alert, Origin, Severity
from kernel.model.codec import Undecodable, decode_command
from kernel.model.naming import shard_of
from kernel.model.own import CANARY_SOURCE, CANARY_TENANT
from kernel.model.signals import CommandBody

MAX_KEYS: Final = 200_000
_ROUTING: Final = frozenset({"source", "tenant", "content-encoding"})
_DEFAULT: Final = SourceConfig()


class Known:
    """An alert that was decoded before, found again by its raw bytes; `beating` is the heartbeat that it is."""

    __slots__ = ("beating", "fingerprint", "severity", "shard")

    def __init__(self, fingerprint: str, severity: Severity, shard: int) -> None:
        self.fingerprint = fingerprint
        self.severity = severity
        self.shard = shard
        self.beating: Beating | None = None


@dataclass(slots=True)
class Route:
    """How records of the same source, tenant and encoding are read. `known` is shared by all routes of one source.

    `headers` are those three alone; `width` is how many a record has that has no others. `unknown` says that no
    adapter reads the source, and what to do.
    """

    source: str | None
    adapter: Adapter | None
    config: SourceConfig
    tenant: str
    headers: dict[str, str]
    width: int
    known: dict[bytes, Known] = field(default_factory=dict)
    unknown: str = ""

    @property
    def packed(self) -> bool:
        """Whether bodies have to be unpacked first."""
        return "content-encoding" in self.headers


class Reader:
    """Reads raw records; remembers routes by header bytes and alerts by raw bytes, and forgets them on a reload."""

    def __init__(self, config: Callable[[], Config], shards: int) -> None:
        self._config = config
        self._shards = shards
        self._routes: dict[tuple[tuple[str, bytes], ...], Route] = {}
        self._known: dict[tuple[str, str], dict[bytes, Known]] = {}
        self._shard_of: dict[tuple[str, ...], int] = {}
        self._of = config()

    @property
    def config(self) -> Config:
        """The configuration that records are read under."""
        return self._of

    def refresh(self) -> None:
        """Forget what was learned under another configuration than the one in force."""
        config = self._config()
        if config is not self._of:
            self._routes.clear()
            self._known.clear()
            self._of = config

    def route(self, record: ConsumerRecord) -> Route:
        """The route of a record's headers. Others than those that route may differ with every record."""
        headers = tuple(record.headers)
        found = self._routes.get(headers)
        if found is None:
            headers = tuple([pair for pair in headers if pair[0].lower() in _ROUTING])
            found = self._routes.get(headers)
        if found is None:
            found = self._new_route(self._of, headers)
            if len(self._routes) < MAX_KEYS:
                self._routes[headers] = found
        return found

    def _new_route(self, config: Config, raw: tuple[tuple[str, bytes], ...]) -> Route:
        headers = _texts(raw)
        source = headers.get("source") or None
        settings = config.sources.get(source, _DEFAULT) if source else _DEFAULT
        if source == CANARY_SOURCE:
            settings = _canary(config)
        tenant = settings.tenant
        if source not in config.sources and source != CANARY_SOURCE:
            tenant = config.correlation.default_tenant
        # What has the canaries' tenant is shown nowhere, so nobody else may claim it.
        if settings.tenant_header and headers.get("tenant") not in (None, "", CANARY_TENANT):
            tenant = headers["tenant"]
        adapter, unknown = None, ""
        if source is not None:
            try:
                adapter = adapter_for(source, settings)
            except UnknownAdapter as error:
                unknown = str(error)
        known = {} if unknown else self._known.setdefault((source or "", tenant), {})
        return Route(source, adapter, settings, tenant, headers, len(raw), known, unknown)

    def message(self, route: Route, record: ConsumerRecord, topic_id: str) -> Message:
        """The record as an adapter reads it. Raises NotUnderstood where it cannot be unpacked."""
        body = record.value or b""
        if route.packed:
            body = unpack(body, route.headers)
        headers = route.headers if len(record.headers) == route.width else _texts(record.headers)
        return Message(
            body,
            route.source or "",
            route.config,
            route.tenant,
            record.timestamp,
            Origin(topic_id, record.partition, record.offset, 0),
            headers,
        )

    def glance(self, route: Route, message: Message) -> Sequence[Glance] | None:
        """The short way, where the source and the body have one."""
        return route.adapter.glance(message) if route.adapter is not None else None

    def parse(self, route: Route, message: Message) -> Parsed:
        """The whole body. Raises NotUnderstood with the reason of the one dead letter that it becomes."""
        try:
            adapter = route.adapter
            if adapter is None:
                adapter, message = self._detect(route, message)
            parsed = adapter.parse(message)
            if route.adapter is None:
                parsed.source = message.source
        except NotUnderstood:
            if (command := _command(message.body)) is None:
                raise
            return Parsed(Outcome.COMMANDS, commands=[command])
        # Whatever source such a body claims: a command is one, and is taken from answers.raw only.
        if not parsed.alerts and not parsed.commands and (command := _command(message.body)) is not None:
            return Parsed(Outcome.COMMANDS, commands=[command])
        return parsed

    def _detect(self, route: Route, message: Message) -> tuple[Adapter, Message]:
        if route.unknown:
            raise NotUnderstood(Reason.UNKNOWN_SOURCE, route.unknown)
        try:
            body = orjson.loads(message.body)
        except orjson.JSONDecodeError as error:
            raise NotUnderstood(Reason.INVALID_JSON, f"the body is not JSON: {error}") from error
        found = detect(body, message.headers, self._of)
        if found is None:
            raise NotUnderstood(Reason.NOT_DETECTED, nearest(body, self._of))
        config = self._of.sources.get(found.name, _DEFAULT)
        named = Message(
            message.body, found.name, config, message.tenant, message.arrival, message.origin, message.headers
        )
        return found, named

    def build(self, route: Route, message: Message, glance: Glance, index: int, parsed: Parsed) -> Alert | None:
        """The full alert of a glance, None where it was refused; remembers it by its bytes."""
        assert route.adapter is not None
        before = len(parsed.alerts)
        route.adapter.build(message, glance, index, parsed)
        if len(parsed.alerts) == before:
            return None
        alert = parsed.alerts[-1]
        if len(route.known) >= MAX_KEYS:
            route.known.clear()
        route.known[glance.key] = Known(alert.fingerprint, alert.severity, self.shard(alert))
        return alert

    def shard(self, alert: Alert) -> int:
        """The shard of an alert's domain."""
        return self.shard_of(alert.tenant, alert.labels)

    def shards_of_tenant(self, tenant: str) -> Sequence[int]:
        """Every shard in which a tenant's alerts may be."""
        return range(self._shards) if self._of.correlation.domain else (self.shard_of(tenant, {}),)

    def shard_of(self, tenant: str, values: Mapping[str, str]) -> int:
        """The shard of the domain of a tenant and these labels."""
        labels = self._of.correlation.domain
        domain = (tenant, *(values.get(name, "") for name in labels)) if labels else (tenant,)
        found = self._shard_of.get(domain)
        if found is None:
            found = shard_of(domain, self._shards)
            if len(self._shard_of) < MAX_KEYS:
                self._shard_of[domain] = found
        return found


def _canary(config: Config) -> SourceConfig:
    """Stormfold's own source: one that is not resolved, since its gateway is gone, goes stale."""
    return SourceConfig(adapter=Generic.name, tenant=CANARY_TENANT, repeat_interval=config.canary.every)


def _texts(raw: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name.lower(): value.decode("utf-8", "replace") for name, value in raw if value is not None}


def _command(body: bytes) -> CommandBody | None:
    try:
        return decode_command(body).command
    except Undecodable:
        return None
