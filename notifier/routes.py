"""Who hears of an incident: pure functions of its headline and the configuration, with the reason in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from kernel.config.matchers import Labels, Predicate, compile_all
from kernel.config.schema import Config, RouteConfig
from kernel.model.delivery import Action
from kernel.model.incident import Headline, Priority
from kernel.model.own import CANARY_CHANNEL, CANARY_RULE

BUILTIN_CONSOLE = "console"
"""The channel that stands in where no team is configured; it needs no entry under `channels`."""

# An incident may touch hundreds of services; a route that names none of the first ones has other labels to go by.
_VIEWS = 500


@dataclass(frozen=True)
class Routed:
    """Where an incident's deliveries go. `action` is what a first delivery is: a page, or an update that wakes nobody.

    `team` is None where none is configured. `fallback` is used when a target fails for good.
    """

    team: str | None
    targets: tuple[str, ...]
    fallback: tuple[str, ...]
    action: Action
    reason: str


@lru_cache(maxsize=1024)
def _compiled(match: tuple[str, ...]) -> Predicate:
    return compile_all(match)


def _views(line: Headline) -> Iterator[Labels]:
    """What matchers read: one view for each service and source of the incident.

    Labels common to all members and the group, then the incident's own `service`, `source`, `rule`, `priority`,
    `tenant` and `severity`, which win over labels of those names.
    """
    own = {
        "rule": line.rule,
        "priority": line.priority.value,
        "tenant": line.tenant,
        "severity": line.severity.value,
    }
    base = {**line.labels, **line.group, **own}
    services: Sequence[str | None] = line.services or (None,)
    sources: Sequence[str | None] = line.sources or (None,)
    for service, source in islice(product(services, sources), _VIEWS):
        view = dict(base)
        if service is not None:
            view["service"] = service
        if source is not None:
            view["source"] = source
        yield view


def _matching(line: Headline, config: Config) -> tuple[int, RouteConfig] | None:
    """The first route all of whose matchers hold for one service and source of the incident, with its place from 1."""
    views = list(_views(line))
    for place, candidate in enumerate(config.routes, 1):
        if candidate.team not in config.teams:
            continue
        matches = _compiled(candidate.match)
        if any(matches(view) for view in views):
            return place, candidate
    return None


def _team(line: Headline, config: Config) -> tuple[str | None, str]:
    gone = ""
    if line.team is not None:
        if line.team in config.teams:
            return line.team, f"the rule {line.rule} names the team {line.team}"
        gone = f"; the rule {line.rule} names the team {line.team}, which is not configured"
    found = _matching(line, config)
    if found is not None:
        place, chosen = found
        shown = ", ".join(chosen.match) or "everything"
        return chosen.team, f"route {place} matches ({shown}){gone}"
    for service in line.services:
        owner = config.services.get(service)
        if owner is not None and owner.team in config.teams:
            return owner.team, f"the team {owner.team} owns the service {service}{gone}"
    first = next(iter(config.teams), None)
    if first is not None:
        return first, f"no rule, route or service names a team: {first} is the first one configured{gone}"
    return None, f"no team is configured: the console stands in{gone}"


def route(headline: Headline, config: Config) -> Routed:
    """The team and its targets for the incident's present priority.

    Precedence: the rule's team, the first route that matches, the owner of its first service that has one, the first
    team configured, the built-in console. P1 and P2 page; P3 and P4 notify, on the page's targets where the team has
    no others.
    """
    if headline.rule == CANARY_RULE:
        return Routed(None, (CANARY_CHANNEL,), (), Action.UPDATE, "stormfold's own canary")
    team, reason = _team(headline, config)
    action = Action.PAGE if headline.priority in (Priority.P1, Priority.P2) else Action.UPDATE
    if team is None:
        return Routed(None, (BUILTIN_CONSOLE,), (), action, reason)
    section = config.teams[team]
    targets = section.page
    if action is Action.UPDATE:
        if section.notify:
            targets = section.notify
        else:
            reason += f"; {headline.priority} wakes nobody: the team has no notify targets, so its page targets get it"
    chosen = tuple(dict.fromkeys(targets))
    if not chosen:
        chosen, reason = (BUILTIN_CONSOLE,), f"{reason}; the team has no targets: the console stands in"
    fallback = tuple(name for name in dict.fromkeys(section.fallback) if name not in chosen)
    return Routed(team, chosen, fallback, action, reason)
