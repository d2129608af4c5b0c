"""Heartbeats and dead-man switches: what is expected of a source, and an incident of its own when it stays away.

A heartbeat is missing when none arrived for its time, and for the tenth of it in which ingest tells of no further one:
at the shard's time where all input up to then is applied, else, since this pages, at most 30 s (5 s for critical) of
wall time later, for what is under way. While one of a source is missing nothing of that source goes stale: silence is
not recovery.
"""

from __future__ import annotations

from typing import Final

from correlator.moves import Moves
from correlator.observe import Observer
from correlator.state import Beat, Shard
from kernel.clock import Millis, rfc3339
from kernel.config.heartbeat import HeartbeatConfig, tenant_of
from kernel.config.values import Duration
from kernel.model.alert import Alert, Kind, Origin, Severity, Status
from kernel.model.incident import Headline
from kernel.model.naming import episode_of, fingerprint, shard_of
from kernel.model.own import OWN_SOURCE
from kernel.model.signals import Heartbeat

PATIENCE: Final = Duration(30_000)
PATIENCE_CRITICAL: Final = Duration(5_000)
NOWHERE: Final = "0" * 32


class Heartbeats:
    """The heartbeats that a shard hears of. `shards` is how many there are, None where this is the only one.

    Their incidents open in the home shard of their tenant; where labels make domains every shard hears of them, for
    the sake of the source's alerts.
    """

    def __init__(self, moves: Moves, observer: Observer, shards: int | None) -> None:
        self._moves = moves
        self._observer = observer
        self._shard: Shard = moves.shard
        self._of: dict[str, HeartbeatConfig] = {}
        self._tenants: dict[str, str] = {}
        self._home: set[str] = set()
        self._by_source: dict[str, list[str]] = {}
        self._synced = False
        config = moves.config
        for one in config.heartbeats:
            tenant = tenant_of(one, config.sources, config.correlation.default_tenant)
            home = shards is None or shard_of((tenant,), shards) == self._shard.number
            if home:
                self._home.add(one.name)
            if home or config.correlation.domain:
                self._of[one.name] = one
                self._tenants[one.name] = tenant
                self._by_source.setdefault(one.source, []).append(one.name)

    def take(self, signal: Heartbeat) -> None:
        """A heartbeat came. Whether that ends its absence is for `look` to say: it may be an old one that was late."""
        self._observer.heard(signal.source, signal.arrival)
        config = self._of.get(signal.name)
        if config is None or config.source != signal.source:
            return
        beat = self._shard.beats.get(signal.name)
        if beat is None:
            beat = self._new(signal.name, signal.arrival)
        if beat.origin is None or (signal.arrival, signal.origin) > (beat.newest, beat.origin):
            beat.newest, beat.origin = signal.arrival, signal.origin
            self._shard.touch("waiting", f"h:{signal.name}")

    def _new(self, name: str, since: Millis) -> Beat:
        config = self._of[name]
        beat = self._shard.beats[name] = Beat(config.source, self._tenants[name], since, every=int(config.every))
        self._shard.touch("waiting", f"h:{name}")
        return beat

    # --- what is not heard of

    def look(self, now: Millis, sure_to: Millis) -> None:
        """`now` is wall time; all input that arrived up to `sure_to` is applied."""
        if not self._synced:
            self._sync(now)
        for name, config in self._of.items():
            beat = self._shard.beats[name]
            due = beat.heard + config.allowed
            patience = PATIENCE_CRITICAL if config.severity is Severity.CRITICAL else PATIENCE
            if beat.missing is None:
                # Whoever has just taken what waited for it gives what is under way the time to come in.
                if sure_to >= due:
                    self._miss(config, beat, due, f"nothing came for {config.every}")
                elif now >= max(due, self._shard.claimed_at, self._shard.awake_at) + patience:
                    why = f"nothing came for {config.every}; lagging: input of that time may still be under way"
                    self._miss(config, beat, due, why)
            elif beat.newest > beat.missing and sure_to < due and now < due + patience:
                self._back(config, beat)

    def _sync(self, now: Millis) -> None:
        """Begin to expect what is new in the configuration, and no longer expect what it does not name any more."""
        self._synced = True
        for name, beat in sorted(self._shard.beats.items()):
            config = self._of.get(name)
            if config is None or (config.source, self._tenants[name]) != (beat.source, beat.tenant):
                self._end(name, beat, now)
        for name, config in self._of.items():
            beat = self._shard.beats.get(name) or self._new(name, now)
            if beat.every != config.every:
                if config.every < beat.every and beat.missing is None:
                    # What was told of it was told for the longer time.
                    beat.since = now
                beat.every = int(config.every)
                self._shard.touch("waiting", f"h:{name}")

    def _miss(self, config: HeartbeatConfig, beat: Beat, due: Millis, why: str) -> None:
        beat.missing = beat.heard
        self._shard.touch("waiting", f"h:{config.name}")
        if config.name in self._home:
            since = f"last heard of at {rfc3339(beat.newest)}" if beat.newest else "never heard of"
            alert = Alert(
                source=OWN_SOURCE,
                fingerprint=_fingerprint(config.name, beat),
                name=f"Heartbeat {config.name} is missing",
                status=Status.FIRING,
                severity=config.severity,
                observed_at=self._after(config.name, beat, due),
                received_at=due,
                origin=_opener(beat),
                tenant=beat.tenant,
                kind=Kind.HEARTBEAT,
                service=config.service,
                summary=f"Heartbeat {config.name} of {config.source} is missing: {since}, due every {config.every}",
                labels={"heartbeat": config.name, "source": config.source, "severity": config.severity.value},
            )
            self._observer.own(alert, why)

    def confirm(self, line: Headline) -> bool:
        """Another owner said that one is missing, and none came since as far as is known here: so it is."""
        name = line.group.get("heartbeat", "")
        config, beat = self._of.get(name), self._shard.beats.get(name)
        if config is None or beat is None or beat.missing is not None or episode_of(_opener(beat)) != line.episode:
            return False
        self._miss(config, beat, beat.heard + config.allowed, "another owner had found it missing")
        return line.id in self._shard.incidents

    def _back(self, config: HeartbeatConfig, beat: Beat) -> None:
        beat.missing, beat.returned = None, beat.newest
        self._shard.touch("waiting", f"h:{config.name}")
        self._resolve(config.name, beat, beat.newest, "it came again")

    def _end(self, name: str, beat: Beat, now: Millis) -> None:
        """No longer expected: its incident ends for good."""
        del self._shard.beats[name]
        self._shard.touch("waiting", f"h:{name}")
        member = self._shard.members.get(_fingerprint(name, beat))
        if member is None:
            return
        why = "it is no longer expected: the configuration does not name it any more"
        self._resolve(name, beat, now, why)
        self._moves.close(self._shard.incidents[member.incident], max(now, member.newest.observed), early=why)

    def _resolve(self, name: str, beat: Beat, at: Millis, why: str) -> None:
        member = self._shard.members.get(_fingerprint(name, beat))
        if member is not None:
            self._observer.own_resolved(member, self._after(name, beat, at), at, _opener(beat), why)

    def _after(self, name: str, beat: Beat, at: Millis) -> Millis:
        """An observed time that is newer than all before: of our own observations the last one is the newest."""
        member = self._shard.members.get(_fingerprint(name, beat))
        return at if member is None else max(at, member.newest.observed + 1)

    # --- silence is not recovery

    def silent(self, source: str) -> bool:
        """Whether a heartbeat of the source is missing, as far as the shard's time goes."""
        return any(
            beat.missing is not None or beat.heard + self._of[name].every <= self._shard.time
            for name in self._by_source.get(source, ())
            if (beat := self._shard.beats.get(name)) is not None
        )

    def returned(self, source: str) -> Millis:
        """When the last absence of a heartbeat of the source ended, 0 where there was none."""
        beats = (self._shard.beats.get(name) for name in self._by_source.get(source, ()))
        return max((beat.returned for beat in beats if beat is not None), default=0)


def _opener(beat: Beat) -> Origin:
    """What opens its incident: the last one that came, so that the same input gives the same incident again."""
    return beat.origin or Origin(NOWHERE, 0, beat.since, 0)


def _fingerprint(name: str, beat: Beat) -> str:
    return fingerprint(beat.tenant, OWN_SOURCE, {"heartbeat": name})
