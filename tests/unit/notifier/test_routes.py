"""Who hears of an incident."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.config.schema import Config, RouteConfig, ServiceConfig, TeamConfig
from kernel.model.delivery import Action
from kernel.model.incident import Priority
from notifier.routes import BUILTIN_CONSOLE, route
from tests.channels.examples import headline

TEAMS = {
    "platform": TeamConfig(page=("pd-platform",), notify=("chat",), fallback=("hook",)),
    "payments": TeamConfig(page=("pd-payments", "hook", "hook"), fallback=("hook", "chat")),
    "infrastructure": TeamConfig(page=("pd-infra",), notify=("chat", "mail")),
}
SERVICES = {"checkout": ServiceConfig(1, "payments"), "cart": ServiceConfig(2, None), "edge": ServiceConfig(1, "gone")}


def config(*routes: RouteConfig) -> Config:
    return Config(teams=TEAMS, services=SERVICES, routes=routes)


def team_of(*routes: RouteConfig, **changes: Any) -> str | None:
    return route(headline(**({"team": None} | changes)), config(*routes)).team


def to(team: str, *match: str) -> RouteConfig:
    return RouteConfig(team=team, match=match)


def test_the_rules_team_wins_over_routes_and_owners() -> None:
    routed = route(headline(team="infrastructure"), config(to("platform")))
    assert routed.team == "infrastructure"
    assert routed.targets == ("pd-infra",)
    assert "by-service" in routed.reason


def test_a_team_that_is_gone_falls_through_and_is_named() -> None:
    routed = route(headline(team="ghosts"), config())
    assert routed.team == "payments"
    assert "ghosts" in routed.reason


def test_the_first_route_that_matches_wins_over_the_owner() -> None:
    routes = (
        to("infrastructure", 'service="dns"'),
        to("platform", 'env=~"prod|live"', 'service="checkout"'),
        to("infrastructure"),
    )
    routed = route(headline(team=None), config(*routes))
    assert routed.team == "platform"
    assert "route 2" in routed.reason
    assert 'service="checkout"' in routed.reason


@pytest.mark.parametrize(
    "match",
    [
        ('service="checkout"',),
        ('source="prometheus"',),
        ('rule="by-service"',),
        ('priority=~"P1|P2"',),
        ('tenant="default"',),
        ('severity="critical"',),
        ('env="prod"',),
        ('region!="us-1"', 'missing=""'),
        (),
    ],
)
def test_what_matchers_read(match: tuple[str, ...]) -> None:
    assert team_of(to("infrastructure", *match)) == "infrastructure"


def test_the_incidents_own_facts_win_over_labels_of_the_same_name() -> None:
    labels = {"priority": "P4", "tenant": "evil", "rule": "x", "service": "x", "source": "x"}
    for match in ('priority="P4"', 'tenant="evil"', 'rule="x"', 'service="x"', 'source="x"'):
        assert team_of(to("infrastructure", match), labels=labels) == "payments"


def test_any_service_and_source_of_the_incident_may_match_but_all_matchers_of_a_route_together() -> None:
    many = {"services": ("cart", "checkout", "dns"), "sources": ("prometheus", "grafana")}
    assert team_of(to("infrastructure", 'service="dns"', 'source="grafana"'), **many) == "infrastructure"
    assert team_of(to("infrastructure", 'service="dns"', 'env="dev"'), **many) == "payments"
    assert team_of(to("infrastructure", 'service=""'), services=(), labels={}, group={}) == "infrastructure"


def test_the_owner_of_the_first_service_that_has_one() -> None:
    routed = route(headline(team=None, services=("unknown", "cart", "edge", "checkout")), config())
    assert routed.team == "payments"
    assert "owns the service checkout" in routed.reason


def test_nobody_named_is_the_first_team_and_no_team_is_the_console() -> None:
    routed = route(headline(team=None, services=()), config())
    assert (routed.team, "first one" in routed.reason) == ("platform", True)
    routed = route(headline(team="x"), Config())
    assert (routed.team, routed.targets, routed.fallback) == (None, (BUILTIN_CONSOLE,), ())
    assert "no team is configured" in routed.reason


@pytest.mark.parametrize(
    ("team", "priority", "targets", "fallback", "action"),
    [
        ("platform", Priority.P1, ("pd-platform",), ("hook",), Action.PAGE),
        ("platform", Priority.P2, ("pd-platform",), ("hook",), Action.PAGE),
        ("platform", Priority.P3, ("chat",), ("hook",), Action.UPDATE),
        ("platform", Priority.P4, ("chat",), ("hook",), Action.UPDATE),
        ("payments", Priority.P1, ("pd-payments", "hook"), ("chat",), Action.PAGE),
        ("payments", Priority.P3, ("pd-payments", "hook"), ("chat",), Action.UPDATE),
    ],
)
def test_targets_by_priority(
    team: str, priority: Priority, targets: tuple[str, ...], fallback: tuple[str, ...], action: Action
) -> None:
    routed = route(headline(team=team, priority=priority), config())
    assert (routed.targets, routed.fallback, routed.action) == (targets, fallback, action)
    assert ("no notify targets" in routed.reason) == (team == "payments" and priority is Priority.P3)


def test_the_same_headline_and_configuration_give_the_same_route() -> None:
    whole = config(to("platform", 'env="prod"'))
    assert route(headline(team=None), whole) == route(headline(team=None), whole)
