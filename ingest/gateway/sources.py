"""The configured sources as the doors need them: how a body of theirs is proven, read and forwarded."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ingest.adapters.base import Adapter, Reply
from ingest.adapters.registry import UnknownAdapter, adapter_for
from ingest.gateway.bodies import pack
from ingest.gateway.collector import MAX_RECORD, Collector, HeldBack, NotAcknowledged
from ingest.gateway.lanes import Headers, Spread
from ingest.gateway.replies import RETRY, Refused
from ingest.gateway.shares import Member, Pool
from ingest.origin.base import Prover
from ingest.origin.certificates import Certificates
from ingest.origin.registry import prover_for
from ingest.origin.times import Skews
from kernel.config.proof import HeaderProof, RoutingKeyProof, TokenProof
from kernel.config.schema import Config, SourceConfig

_IN_HEAD: Final = (TokenProof, HeaderProof, RoutingKeyProof)
GZIP: Final = ("content-encoding", b"gzip")


@dataclass(slots=True)
class Way:
    """One source's way to one raw topic."""

    collector: Collector
    spread: Spread

    async def forward(self, body: bytes, headers: Headers, *, packed: bool = False, extra: int = 0) -> None:
        """Publish a body; returns when Kafka has it. `headers` name the source; `extra` are bytes of others in them.

        Raises Refused, with 503 where the sender should come again.
        """
        if len(body) > MAX_RECORD and not packed:
            whole = len(body)
            body, packed = await asyncio.to_thread(pack, body), True
            if len(body) > MAX_RECORD:
                sentence = f"{whole} bytes are {len(body)} by gzip, over the limit of {MAX_RECORD}; send fewer alerts"
                raise Refused(413, "too_large", sentence)
        try:
            await self.collector.submit(self.spread, body, [*headers, GZIP] if packed else headers, extra)
        except HeldBack as error:
            reason = "over_share" if error.own else "back_pressure"
            raise Refused(503, reason, f"try again: {error}", RETRY) from None
        except NotAcknowledged as error:
            raise Refused(503, "not_acknowledged", f"try again: {error}", RETRY) from None


@dataclass(slots=True)
class Source:
    """A configured source. `way` is where what is posted to its own door goes, `plain` the headers of its records.

    `early` says that its proof is in the request's head, so that the body of a stranger is not read, `bearer` that it
    is in the header `authorization` alone. `passed_on` are the request headers that its records carry; `forms`,
    `greets` and `accepted` are its adapter's.
    """

    name: str
    adapter: Adapter | None
    plain: Headers
    way: Way
    alerts: Way
    answers: Way
    reading: Member
    prover: Prover | None = field(repr=False, default=None)
    early: bool = False
    bearer: bool = False
    passed_on: tuple[str, ...] = ()
    forms: bool = False
    greets: bool = False
    accepted: Reply | None = None


class Sources:
    """Looked up by name, or by a routing key. Made anew after a reload and where a topic grew."""

    def __init__(
        self,
        config: Callable[[], Config],
        alerts: Collector,
        answers: Collector,
        reading: Pool,
        certificates: Certificates,
        skews: Skews,
    ) -> None:
        self._config = config
        self._alerts = alerts
        self._answers = answers
        self._reading = reading
        self._certificates = certificates
        self._skews = skews
        self._of: Config | None = None
        self._generation = 0
        self._sources: dict[str, Source] = {}
        self._salt = secrets.token_bytes(32)
        self._by_key: dict[tuple[str, bytes], Source] = {}

    def find(self, name: str) -> Source | None:
        """The source of this name under the configuration in force."""
        if self._config() is not self._of or self._alerts.generation + self._answers.generation != self._generation:
            self._refresh()
        return self._sources.get(name)

    def by_key(self, adapter: str, key: bytes) -> Source | None:
        """The source of this adapter that a routing key names.

        What is looked up is a salted digest, so that the time it takes tells nothing of the keys.
        """
        self._refresh()
        return self._by_key.get((adapter, self._digest(key)))

    def _digest(self, key: bytes) -> bytes:
        return hashlib.blake2b(key, digest_size=32, key=self._salt).digest()

    def _refresh(self) -> None:
        config, generation = self._config(), self._alerts.generation + self._answers.generation
        if config is self._of and generation == self._generation:
            return
        self._sources = {name: self._made(name, settings) for name, settings in config.sources.items()}
        self._by_key = {
            (settings.adapter or name, self._digest(key.reveal().encode())): self._sources[name]
            for name, settings in config.sources.items()
            if isinstance(settings.proof, RoutingKeyProof)
            for key in settings.proof.secrets
        }
        self._of, self._generation = config, generation

    def _made(self, name: str, settings: SourceConfig) -> Source:
        try:
            adapter: Adapter | None = adapter_for(name, settings)
        except UnknownAdapter:
            adapter = None  # what it sends is taken and becomes dead letters, which a person can replay
        who = (name, settings.tenant, settings.share)
        alerts = Way(self._alerts, self._alerts.spread(*who))
        answers = Way(self._answers, self._answers.spread(*who))
        prover = prover_for(name, settings, self._certificates, self._skews)
        # People's answers come in the same stream as these alerts, and are believed from that topic alone: what a
        # stranger could have written may open an incident, never acknowledge one away.
        answering = adapter is not None and adapter.answers and prover is not None
        source = Source(
            name,
            adapter,
            [("source", name.encode())],
            answers if answering else alerts,
            alerts,
            answers,
            self._reading.member(*who),
            prover,
            settings.token is not None or isinstance(settings.proof, _IN_HEAD),
            settings.token is not None or isinstance(settings.proof, TokenProof),
        )
        if adapter is not None:
            source.passed_on, source.forms = adapter.headers, adapter.forms
            source.greets, source.accepted = adapter.greets, adapter.accepted
        return source
