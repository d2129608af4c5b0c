"""Heartbeats as ingest sees them: which alerts and messages are some, and what the correlator hears of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ingest.slice import Slice
from kernel.clock import Millis
from kernel.config.heartbeat import HeartbeatConfig, tenant_of
from kernel.config.matchers import Predicate, compile_all
from kernel.config.schema import Config
from kernel.model.alert import Alert, Origin
from kernel.model.signals import Heartbeat


class Beating:
    """One configured heartbeat; `heard` is the arrival of the last one that went on to the correlator."""

    __slots__ = ("heard", "matches", "name", "shards", "source", "tenant", "untold")

    def __init__(self, config: HeartbeatConfig, tenant: str, shards: Sequence[int], matches: Predicate | None) -> None:
        self.name = config.name
        self.source = config.source
        self.tenant = tenant
        self.shards = shards
        self.untold = config.untold
        self.matches = matches
        self.heard: Millis | None = None

    def beat(self, origin: Origin, arrival: Millis, out: Slice) -> None:
        """It came: the correlator hears of it, unless it has heard of one just before."""
        if self.heard is not None and arrival < self.heard + self.untold:
            return
        self.heard = arrival
        for shard in self.shards:
            out.signal(shard, Heartbeat(self.name, self.source, self.tenant, origin, arrival), arrival)


class Heartbeats:
    """The heartbeats of one configuration. `shards_of` says in which shards a tenant's alerts may be."""

    def __init__(self, config: Config, shards_of: Callable[[str], Sequence[int]]) -> None:
        self._any: dict[str, list[Beating]] = {}
        self._matching: dict[str, list[Beating]] = {}
        self._all: list[Beating] = []
        for section in config.heartbeats:
            tenant = tenant_of(section, config.sources, config.correlation.default_tenant)
            matches = compile_all(section.match) if section.match else None
            made = Beating(section, tenant, shards_of(tenant), matches)
            (self._any if matches is None else self._matching).setdefault(section.source, []).append(made)
            self._all.append(made)

    def of_source(self, source: str) -> Sequence[Beating]:
        """Those for which any message of the source counts."""
        return self._any.get(source, ())

    def of_alert(self, alert: Alert) -> Beating | None:
        """The one that the alert is."""
        candidates = self._matching.get(alert.source)
        if not candidates:
            return None
        view = view_of(alert)
        return next((one for one in candidates if one.matches is not None and one.matches(view)), None)

    def named(self, source: str, name: str) -> Beating | None:
        """The one of that name, if it is this source's."""
        return next((one for one in self._all if (one.source, one.name) == (source, name)), None)

    def forget(self) -> None:
        """What was to be heard of may not have been published: the next one goes on whatever was before."""
        for one in self._all:
            one.heard = None


def view_of(alert: Alert) -> Mapping[str, str]:
    """What matchers read of an alert: its labels, and its own fields, which win."""
    return {
        **alert.labels,
        "alertname": alert.name,
        "name": alert.name,
        "source": alert.source,
        "service": alert.service or "",
        "severity": alert.severity.value,
        "kind": alert.kind.value,
        "tenant": alert.tenant,
        "fingerprint": alert.fingerprint,
    }
