"""The storm as a list of bodies: deterministic from a seed, in phases between which everything sent is judged.

Phases keep the outcome independent of chance: a resolve is sent only when what it resolves has been judged, so it
does not matter which of the partitions is read first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kernel.clock import Millis
from stormfold.demo.causes import CAUSES, Symptom, noise, symptoms
from stormfold.demo.vendors import WRITERS, Sighting

LEAST_RAW: Final = 1_000
SPREAD_MS: Final = 60_000
LATE_MS: Final = 300_000
_SHARES: Final = (0.70, 0.12, 0.12, 0.06)


@dataclass(frozen=True)
class Body:
    """One body: of which source, its bytes, how many alerts are in it, and whether it goes through the gateway.

    `refused` bodies are no JSON: the gateway answers 400, so they are sent but not accepted.
    """

    source: str
    data: bytes
    alerts: int
    by_http: bool
    refused: bool = False


@dataclass
class Storm:
    """A storm of about `raw` alerts (at least `LEAST_RAW`), the same for the same seed."""

    seed: int
    raw: int
    _rng: random.Random = field(init=False)
    _by_http: int = 0
    _by_kafka: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - a repeatable game, no secret
        self.groups: list[tuple[int, list[Symptom]]] = []
        first = 0
        for cause in CAUSES:
            found = symptoms(cause, self._rng, first)
            self.groups.append((cause.weight, found))
            first += len(found)
        self.noise = noise(first)
        self.all = [one for _, group in self.groups for one in group] + self.noise

    def phases(self, clock: Callable[[], Millis]) -> Iterator[list[Body]]:
        """The phases, each to be judged before the next is asked for; `clock` gives wall time."""
        flapping = [one for one in self.all if one.flaps]
        steady = [one for one in self.all if not one.flaps]
        ending = [one for one in flapping if one.ends_resolved]
        late = [one for one in steady if one.vendor in ("datadog", "cloudwatch")]
        bad = _unreadable()
        must = len(self.all) + 2 * len(flapping) + len(ending) + len(late) + sum(body.alerts for body in bad)
        room = self.raw - must
        parts = [round(room * share) for share in _SHARES]
        parts[0] += room - sum(parts)

        now = clock()
        firsts = [Sighting(one, True, now - SPREAD_MS) for one in self.all]
        yield self._bodies([*firsts, *self._repeats(self.all, parts[0], now)], now)
        now = clock()
        seen = [Sighting(one, False, now - 3_000) for one in flapping]
        seen += [Sighting(one, True, now - LATE_MS) for one in late]
        yield self._bodies([*seen, *self._repeats(steady, parts[1], now)], now)
        now = clock()
        seen = [Sighting(one, True, now - 2_000) for one in flapping]
        yield [*self._bodies([*seen, *self._repeats(steady, parts[2], now)], now), *bad]
        now = clock()
        seen = [Sighting(one, False, now - 1_000) for one in ending]
        yield self._bodies([*seen, *self._repeats(steady, parts[3], now)], now)

    def again(self, now: Millis) -> list[Body]:
        """Everything that still fires, once more."""
        return self._bodies([Sighting(one, True, now) for one in self.all if not one.ends_resolved], now)

    def _repeats(self, of: Sequence[Symptom], many: int, now: Millis) -> list[Sighting]:
        known = {one.number for one in of}
        groups = [(weight, [one for one in group if one.number in known]) for weight, group in self.groups]
        groups.append((10, [one for one in self.noise if one.number in known]))
        weights = [weight for weight, _ in groups]
        return [
            Sighting(self._rng.choice(group), True, now - SPREAD_MS + self._rng.randrange(1, SPREAD_MS // 2))
            for _, group in self._rng.choices(groups, weights, k=many)
        ]

    def _bodies(self, seen: list[Sighting], now: Millis) -> list[Body]:
        self._rng.shuffle(seen)
        bodies = [self._body(source, batch, now) for source, batch in _batches(seen)]
        self._rng.shuffle(bodies)
        return bodies

    def _body(self, source: str, batch: list[Sighting], now: Millis) -> Body:
        by_http = self._by_http <= self._by_kafka
        if by_http:
            self._by_http += len(batch)
        else:
            self._by_kafka += len(batch)
        return Body(source, WRITERS[source][0](batch, now), len(batch), by_http)


def _batches(seen: Iterable[Sighting]) -> Iterator[tuple[str, list[Sighting]]]:
    """Sightings as their vendors pack them: no alert twice in a body, and a group is of one alert name."""
    open_: dict[tuple[str, str], dict[int, Sighting]] = {}
    for one in seen:
        source = one.symptom.vendor
        key = (source, one.symptom.name if source in ("alertmanager", "grafana") else "")
        batch = open_.setdefault(key, {})
        if one.symptom.number in batch or len(batch) >= WRITERS[source][1]:
            yield source, list(batch.values())
            batch = open_[key] = {}
        batch[one.symptom.number] = one
    yield from ((source, list(batch.values())) for (source, _), batch in open_.items() if batch)


def _unreadable() -> list[Body]:
    """What senders get wrong: refused at the door with a 4xx, or put aside as a dead letter with its reason."""
    good = '{"labels":{"alertname":"Disk fills up","severity":"medium","instance":"batch-00","env":"prod"}}'
    no_labels = b'[{"labels":{},"annotations":{"summary":"of what?"}},' + good.encode() + b"]"
    return [
        Body("prometheus", b'[{"labels": {"alertname": "Cut o', 1, by_http=True, refused=True),
        Body("datadog", b"alert_title=High+latency&alert_type=error", 1, by_http=True, refused=True),
        Body("prometheus", b"\x00\xff\xfe not JSON", 1, by_http=False),
        Body("grafana", b'{"alerts": "many"}', 1, by_http=False),
        Body("alertmanager", b'{"version": "4", "status": "firing"}', 1, by_http=True),
        Body("cloudwatch", b'{"Type": "Notification", "Message": "see the console"}', 1, by_http=False),
        Body("prometheus", no_labels, 2, by_http=True),
    ]
