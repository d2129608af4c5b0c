"""Priority from impact and urgency, each with its reasons.

Source of the matrix: the impact by urgency table of ITIL incident management, folded from P1..P5 to P1..P4 (low by low
joins P4). Impact asks how much of the business is hit, urgency how soon it hurts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from kernel.clock import Millis
from kernel.config.hours import BusinessHours
from kernel.config.schema import Config
from kernel.model.alert import Severity
from kernel.model.incident import Level, Priority, Score

MATRIX: Final[Mapping[tuple[Level, Level], Priority]] = {
    (Level.HIGH, Level.HIGH): Priority.P1,
    (Level.HIGH, Level.MEDIUM): Priority.P2,
    (Level.MEDIUM, Level.HIGH): Priority.P2,
    (Level.HIGH, Level.LOW): Priority.P3,
    (Level.MEDIUM, Level.MEDIUM): Priority.P3,
    (Level.LOW, Level.HIGH): Priority.P3,
    (Level.MEDIUM, Level.LOW): Priority.P4,
    (Level.LOW, Level.MEDIUM): Priority.P4,
    (Level.LOW, Level.LOW): Priority.P4,
}

V = TypeVar("V")
MAX_KNOWN: Final = 10_000
_LEVELS: Final = (Level.HIGH, Level.MEDIUM, Level.LOW)
# Most severe first.
_URGENCY: Final = {
    Severity.CRITICAL: Level.HIGH,
    Severity.HIGH: Level.HIGH,
    Severity.MEDIUM: Level.MEDIUM,
    Severity.LOW: Level.LOW,
    Severity.INFO: Level.LOW,
}


@dataclass(slots=True)
class Extent:
    """What the firing members of an incident cover: each value with the number of members that have it."""

    services: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)
    regions: dict[str, int] = field(default_factory=dict)
    environments: dict[str, int] = field(default_factory=dict)
    severities: dict[Severity, int] = field(default_factory=dict)
    firsts: list[Millis] = field(default_factory=list)

    @property
    def worst(self) -> Severity:
        """The most severe of the firing members, `info` where none fires."""
        for severity in _URGENCY:
            if severity in self.severities:
                return severity
        return Severity.INFO

    def add(self, service: str | None, labels: Mapping[str, str], severity: Severity, config: Config) -> bool:
        """A member fires. True where the score may have changed."""
        return self._move(service, labels, severity, config, 1)

    def remove(self, service: str | None, labels: Mapping[str, str], severity: Severity, config: Config) -> bool:
        """A member fires no longer. True where the score may have changed."""
        return self._move(service, labels, severity, config, -1)

    def shift(self, old: Severity, new: Severity) -> bool:
        """A firing member's severity changed. True where the score may have changed."""
        return _bump(self.severities, old, -1) | _bump(self.severities, new, 1)

    def _move(
        self, service: str | None, labels: Mapping[str, str], severity: Severity, config: Config, by: int
    ) -> bool:
        names = config.priority
        moved = _bump(self.severities, severity, by)
        if service:
            moved |= _bump(self.services, service, by)
        for counter, label in (
            (self.hosts, names.host_label),
            (self.regions, names.region_label),
            (self.environments, names.environment_label),
        ):
            value = _first(labels, label)
            if value or counter is self.environments:
                moved |= _bump(counter, value, by)
        return moved


def _bump(counter: dict[V, int], value: V, by: int) -> bool:
    total = counter.get(value, 0) + by
    if total > 0:
        counter[value] = total
        return total == by
    counter.pop(value, None)
    return True


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    for name in names:
        value = labels.get(name)
        if value:
            return value
    return ""


def score(extent: Extent, words: Sequence[str], config: Config, at: Millis) -> Score:
    """The priority of an incident now. `words` are the impact words of its rule; `at` is the deciding moment."""
    impact, why_impact = _impact(extent, words, config)
    urgency, why_urgency = _urgency(extent, words, config, at)
    return Score(MATRIX[impact, urgency], impact, urgency, tuple(why_impact), tuple(why_urgency))


class Scorer:
    """`score` under one configuration; what was scored once is remembered by all that the score depends on."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._many_hosts = config.priority.many_hosts
        # These look at the clock or at every member's time: nothing to remember.
        self._timeless = not (config.priority.business_hours or config.priority.trend_members)
        self._known: dict[tuple[object, ...], Score] = {}

    def __call__(self, extent: Extent, words: Sequence[str], at: Millis) -> Score:
        """As `score`."""
        if not self._timeless:
            return score(extent, words, self._config, at)
        hosts = len(extent.hosts)
        key = (
            extent.worst,
            hosts if hosts >= self._many_hosts else 0,
            tuple(extent.services),
            tuple(extent.regions),
            tuple(extent.environments),
            tuple(words),
        )
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            found = self._known[key] = score(extent, words, self._config, at)
        return found


def _impact(extent: Extent, words: Sequence[str], config: Config) -> tuple[Level, list[str]]:
    names, level, why = config.priority, Level.LOW, list[str]()

    def at_least(new: Level, reason: str) -> None:
        nonlocal level
        if _LEVELS.index(new) < _LEVELS.index(level):
            level = new
            why.clear()
        if new is level:
            why.append(reason)

    for word in words:
        if word in names.impact_words:
            at_least(names.impact_words[word], f"the rule says {word.replace('_', ' ')}")
    known = config.services
    first = sorted([name for name in extent.services if name in known and known[name].tier == 1])
    if len(first) >= names.many_services:
        at_least(Level.HIGH, f"{len(first)} services of tier 1: {', '.join(first[:5])}")
    elif first:
        at_least(Level.MEDIUM, f"tier 1 service {', '.join(first[:5])}")
    if len(extent.regions) >= names.many_regions:
        at_least(Level.HIGH, f"{len(extent.regions)} regions: {', '.join(sorted(extent.regions)[:5])}")
    if len(extent.services) >= names.many_services:
        at_least(Level.MEDIUM, f"{len(extent.services)} services")
    if len(extent.hosts) >= names.many_hosts:
        at_least(Level.MEDIUM, f"{len(extent.hosts)} hosts")
    if level is Level.LOW and not why:
        why.append("no service of tier 1, few services, hosts and regions")
    return level, why


def _urgency(extent: Extent, words: Sequence[str], config: Config, at: Millis) -> tuple[Level, list[str]]:
    names = config.priority
    worst = extent.worst
    level, why = _URGENCY[worst], [f"severity {worst}"]
    if names.trend_members and _recent(extent.firsts, names.trend_window) >= names.trend_members:
        level = _shift(level, -1)
        why.append(f"{names.trend_members} or more new alerts within {names.trend_window}")
    if names.business_hours and not _hours(names.business_hours).contain(at, ZoneInfo(names.business_timezone)):
        level = _shift(level, 1)
        why.append("outside business hours")
    if "workaround" in words:
        level = _shift(level, 1)
        why.append("a workaround exists")
    if extent.environments and not any(env.lower() in names.production for env in extent.environments):
        level = Level.LOW
        why.append(f"environment {', '.join(sorted(extent.environments)[:3])}")
    return level, why


def _recent(firsts: Sequence[Millis], window: int) -> int:
    newest = max(firsts, default=0)
    return sum(1 for first in firsts if first > newest - window)


def _shift(level: Level, by: int) -> Level:
    return _LEVELS[min(max(_LEVELS.index(level) + by, 0), len(_LEVELS) - 1)]


@lru_cache(maxsize=16)
def _hours(text: str) -> BusinessHours:
    return BusinessHours.parse(text)
