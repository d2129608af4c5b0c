"""Label rules: which rule takes an alert, and which group of that rule it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.clock import Millis
from kernel.config.matchers import Predicate, compile_all
from kernel.config.schema import Config, RuleConfig
from kernel.config.values import Duration
from kernel.model.naming import length_prefixed
from kernel.model.own import CANARY_RULE, CANARY_TENANT, HEARTBEAT_RULE, OWN_SOURCE

UNMATCHED = RuleConfig(name="unmatched", group_by=("fingerprint",))
"""Takes what no rule of the configuration matches: each alert is an incident of its own, none is dropped."""


CANARY = RuleConfig(name=CANARY_RULE, group_by=("fingerprint",), grace=Duration(60_000))
KEEP_CANARY: Final = 60_000


def _any(view: Mapping[str, str]) -> bool:
    del view
    return True


@dataclass(frozen=True, slots=True)
class Placing:
    """The rule that takes an alert, its group there, and domain and group as one string: domains never join."""

    rule: RuleConfig
    group: dict[str, str]
    key: str


class Rulebook:
    """The rules of one configuration, compiled; the first that matches wins."""

    def __init__(self, config: Config) -> None:
        self._rules: list[tuple[RuleConfig, Predicate]] = [
            (rule, compile_all(rule.match)) for rule in (*config.rules, UNMATCHED)
        ]
        self._by_name = {rule.name: rule for rule, _ in self._rules} | {CANARY.name: CANARY}
        self._keep_closed = config.correlation.keep_closed
        self._teams = {heartbeat.name: heartbeat.team for heartbeat in config.heartbeats}
        self._windows: dict[str, str] = {}

    def place(self, view: Mapping[str, str], domain: Sequence[str]) -> Placing:
        """`view` are an alert's labels with name, source, service, severity, kind, tenant and fingerprint."""
        for rule, matches in (*self._own(view), *self._rules):
            if matches(view):
                group = {label: view.get(label, "") for label in rule.group_by}
                return Placing(rule, group, length_prefixed((*domain, *group.values())).decode("utf-8", "replace"))
        raise AssertionError("the rule for what no other matches matches everything")

    def _own(self, view: Mapping[str, str]) -> Iterator[tuple[RuleConfig, Predicate]]:
        """The rule of what stormfold says of itself, which no rule of the configuration takes."""
        if view.get("tenant") == CANARY_TENANT:
            yield CANARY, _any
        elif view.get("source") == OWN_SOURCE:
            name = view["heartbeat"]
            yield RuleConfig(name=HEARTBEAT_RULE, group_by=("heartbeat",), team=self._teams.get(name)), _any

    def runner_up(self, view: Mapping[str, str], chosen: str) -> str | None:
        """The next rule that would have taken the alert, for the explanation."""
        later = False
        for rule, matches in self._rules:
            if later and matches(view):
                return rule.name
            later = later or rule.name == chosen
        return None

    def window_of(self, rule: RuleConfig) -> str:
        """A rule's window in words, for the explanation; said once a rule, not once an incident."""
        words = self._windows.get(rule.name)
        if words is None:
            words = self._windows[rule.name] = (
                f"{rule.window} after the newest observation of a firing member; closed to new ones after "
                f"{rule.cap} or {rule.size} members; reopens within {rule.grace} of its resolve"
            )
        return words

    def keeps(self, name: str) -> Millis:
        """How long a closed incident of the rule is kept."""
        return KEEP_CANARY if name == CANARY_RULE else self._keep_closed

    def rule(self, name: str) -> RuleConfig:
        """A rule by name; one that a reload removed behaves by the defaults until its incidents end."""
        return self._by_name.get(name) or RuleConfig(name=name)
