"""What is expected again and again: heartbeats of sources, and stormfold's own canary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kernel.clock import Millis
from kernel.config.section import Strict
from kernel.config.values import Duration
from kernel.model.alert import Severity


class HeartbeatConfig(Strict, frozen=True):
    """A source, or an alert of it, that is expected every `every`; when it stays away an incident of its own opens.

    With `match` an alert of the source that all matchers fit is the heartbeat, and opens nothing itself (Prometheus'
    Watchdog); without, any message of the source counts. `severity`, `service` and `team` are the incident's.
    """

    name: str
    source: str
    every: Duration
    match: tuple[str, ...] = ()
    severity: Severity = Severity.HIGH
    service: str | None = None
    team: str | None = None

    @property
    def untold(self) -> Millis:
        """For so long (ms) after one that the correlator hears of it is not told of further ones."""
        return self.every // 10

    @property
    def allowed(self) -> Millis:
        """How long (ms) after the last one that the correlator heard of none came for `every` for certain."""
        return self.every + self.untold


class CanaryConfig(Strict, frozen=True):
    """How often every gateway sends an alert through everything to a channel that only records it; `0s`: never."""

    every: Duration = Duration(60_000)


class _Source(Protocol):
    @property
    def tenant(self) -> str: ...


def tenant_of(heartbeat: HeartbeatConfig, sources: Mapping[str, _Source], default_tenant: str) -> str:
    """The tenant that a heartbeat's incident belongs to: its source's."""
    source = sources.get(heartbeat.source)
    return default_tenant if source is None else source.tenant
