"""Canaries in a shard: delivered as updates, ended by the next one, forgotten soon, in no total of alerts."""

from __future__ import annotations

from typing import Any

import msgspec

from kernel.config.schema import RuleConfig
from kernel.model.alert import Alert, Severity, Status
from kernel.model.incident import Fact, Priority
from kernel.model.own import CANARY_CHANNEL, CANARY_RULE, CANARY_SOURCE, CANARY_TENANT, HEARTBEAT_RULE, OWN_RULES
from notifier.routes import route
from tests.unit.correlator.build import MINUTE, T0, Bench, config, counts, facts


def canary(b: Bench, name: str, at: int, status: Status = Status.FIRING, **fields: Any) -> Alert:
    made = b.alert(name, status, at=at, severity=Severity.INFO, service=None, source=CANARY_SOURCE, **fields)
    return msgspec.structs.replace(made, tenant=CANARY_TENANT)


def test_they_are_kept_for_minutes_however_long_they_come() -> None:
    b = Bench(config(rules=(RuleConfig(name="all"),)))
    said: list[Fact] = []
    last = None
    for n in range(600):
        at = T0 + n * MINUTE
        alerts = [] if last is None else [canary(b, last, at, Status.RESOLVED)]
        last = f"c{n}"
        alerts.append(canary(b, last, at))
        events = b.take(*alerts, counts(n * 10, n * 10 + 10, *((alert, 1) for alert in alerts)))
        assert {e.headline.rule for e in events} == {CANARY_RULE}
        assert {e.headline.priority for e in events} == {Priority.P4}
        events += b.pass_time(at)
        said += facts(events)
        assert len(b.shard.incidents) <= 10
        assert len(b.shard.members) <= 10
        assert len(b.shard.timers) <= 30
    assert (said.count(Fact.OPENED), said.count(Fact.REOPENED)) == (600, 0)
    assert "forgotten_alerts" not in b.shard.totals
    assert not [name for name in b.shard.totals if name.startswith("unattributed")]


def test_a_rule_of_the_configuration_that_is_called_canary_hides_nothing() -> None:
    """Flagger's, for instance; incidents of such a rule may be open when stormfold learns of canaries of its own."""
    b = Bench(config(rules=(RuleConfig(name="canary"),)))
    (event,) = b.take(b.alert("A"))
    assert event.headline.rule not in OWN_RULES - {HEARTBEAT_RULE}
    assert route(event.headline, b.config).targets != (CANARY_CHANNEL,)


def test_one_whose_gateway_is_gone_goes_stale_while_others_come() -> None:
    b = Bench()
    b.take(canary(b, "left behind", T0, valid_for=12 * MINUTE))
    for n in range(1, 20):
        at = T0 + n * MINUTE
        b.take(canary(b, f"c{n}", at, valid_for=12 * MINUTE))
        b.take(canary(b, f"c{n}", at + 1, Status.RESOLVED))
        b.pass_time(at)
    assert not [i for i in b.shard.incidents.values() if i.doc.summary == "left behind" and i.doc.status.live]
    assert len(b.shard.incidents) <= 10
