"""Small makers for tests of the correlator's decisions: no server, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from correlator.decide import Decider
from correlator.state import Shard
from kernel.config.schema import Config, CorrelationConfig, RuleConfig, ServiceConfig
from kernel.config.values import Duration
from kernel.model.alert import Alert, Origin, Severity, Stamp, Status
from kernel.model.incident import Fact, IncidentEvent
from kernel.model.naming import fingerprint
from kernel.model.signals import (
    Command,
    Count,
    Counts,
    Heartbeat,
    Passed,
    Refresh,
    Signal,
    SignalRecord,
    Transition,
    Verb,
)

TOPIC, ANSWERS = "a" * 32, "b" * 32
MINUTE = 60_000
T0 = 1_800_000_000_000


def config(**changes: Any) -> Config:
    """One rule by service, three services of tier 1, one of tier 3."""
    base: dict[str, Any] = {
        "services": {
            "checkout": ServiceConfig(tier=1),
            "cart": ServiceConfig(tier=1),
            "payments": ServiceConfig(tier=1),
            "reports": ServiceConfig(tier=3),
        },
        "rules": (
            RuleConfig(name="site", match=('scope="site"',), impact=("whole_site",)),
            RuleConfig(name="by-service", match=('service!=""',), group_by=("service",)),
        ),
        "correlation": CorrelationConfig(lease=Duration(2 * MINUTE)),
    }
    return Config(**(base | changes))


@dataclass
class Bench:
    """A shard with its decider; gives every observation the next offset unless told otherwise."""

    config: Config = field(default_factory=config)
    number: int = 3
    offset: int = 0

    def __post_init__(self) -> None:
        self.shard = Shard(self.number, epoch=1, owner="me", claimed_at=T0 - 60 * MINUTE)
        self.decider = Decider(self.shard, self.config, "c" * 64)

    def alert(
        self,
        name: str,
        status: Status = Status.FIRING,
        *,
        at: int = T0,
        severity: Severity = Severity.CRITICAL,
        service: str | None = "checkout",
        valid_for: int | None = None,
        offset: int | None = None,
        arrival: int | None = None,
        source: str = "prometheus",
        **labels: str,
    ) -> Alert:
        """One observation."""
        if offset is None:
            self.offset += 1
            offset = self.offset
        marks = {"alertname": name, **({"service": service} if service else {}), **labels}
        return Alert(
            source=source,
            fingerprint=fingerprint("default", source, marks),
            name=name,
            status=status,
            severity=severity,
            observed_at=at,
            received_at=at if arrival is None else arrival,
            origin=Origin(TOPIC, 0, offset, 0),
            service=service,
            labels=marks,
            valid_for=valid_for,
        )

    def take(self, *signals: Signal | Alert) -> list[IncidentEvent]:
        """One turn over these; alerts are transitions. Returns what was said."""
        made = tuple(Transition(s, Passed.FIRST_SIGHT) if isinstance(s, Alert) else s for s in signals)
        arrivals = [s.alert.received_at for s in made if isinstance(s, Transition | Refresh)]
        self.decider.take(SignalRecord(self.number, max(arrivals, default=T0), made))
        return self.end()

    def pass_time(self, to: int) -> list[IncidentEvent]:
        """The shard's time reaches `to`."""
        self.decider.advance(to)
        return self.end()

    def turn(self, now: int, sure_to: int = 0) -> list[IncidentEvent]:
        """A turn of the owner without input at wall time `now`; all input up to `sure_to` is applied."""
        self.decider.advance(sure_to)
        self.decider.look(now, sure_to)
        return self.end()

    def beat(self, name: str, at: int, offset: int | None = None, source: str = "prometheus") -> Heartbeat:
        """A heartbeat that arrived."""
        if offset is None:
            self.offset += 1
            offset = self.offset
        return Heartbeat(name, source, "default", Origin(TOPIC, 0, offset, 0), at)

    def reload(self, config: Config) -> None:
        """Another configuration takes over."""
        self.config = config
        self.decider = Decider(self.shard, config, "d" * 64)

    def end(self) -> list[IncidentEvent]:
        """The end of a turn."""
        self.decider.finish()
        events = list(self.shard.events)
        self.shard.take_change()
        self.shard.events.clear()
        return events

    def command(self, verb: Verb, incident: str, offset: int, at: int = T0) -> Command:
        """An answer of a person."""
        return Command(f"cmd-{offset}", verb, incident, "ann", Origin(ANSWERS, 0, offset, 0), at)


def counts(start: int, end: int, *entries: tuple[Alert, int], partition: int = 0) -> Counts:
    """The counts of a range, each with the newest observation."""
    return Counts(
        TOPIC,
        partition,
        start,
        end,
        tuple(Count(a.fingerprint, a.status, n, a.stamp) for a, n in entries),
    )


def facts(events: list[IncidentEvent]) -> list[Fact]:
    """What was said, in order."""
    return [event.fact for event in events]


__all__ = ["MINUTE", "T0", "Bench", "Stamp", "config", "counts", "facts"]
