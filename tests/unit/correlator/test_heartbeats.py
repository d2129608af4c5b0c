"""Heartbeats in virtual time: when one is missing, when it is back, and what that does to the rest of the source."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from correlator.decide import Decider
from correlator.state import Beat, Shard
from ingest.heartbeats import Heartbeats
from ingest.slice import Slice
from kernel.config.heartbeat import HeartbeatConfig
from kernel.config.schema import Config, CorrelationConfig, RuleConfig, TeamConfig
from kernel.config.values import Duration
from kernel.model.alert import Origin, Severity, Status
from kernel.model.incident import Fact, IncidentEvent, IncidentRecord, IncidentStatus, Priority
from kernel.model.naming import shard_of
from kernel.model.signals import Verb
from tests.unit.correlator.build import MINUTE, T0, Bench, config, facts

SECOND = 1_000
FIVE = 5 * MINUTE
DUE = FIVE + FIVE // 10
"""After the last one that ingest told of: it tells of no further one for a tenth of the time."""
NEVER_SURE = 0


def watched(*, severity: Severity = Severity.HIGH, every: int = FIVE, **changes: Any) -> Config:
    """The configuration of the other tests, and one heartbeat."""
    heartbeat = HeartbeatConfig(name="watchdog", source="prometheus", every=Duration(every), severity=severity)
    given = {field: changes.pop(field) for field in ("service", "team", "name") if field in changes}
    return config(heartbeats=(msgspec.structs.replace(heartbeat, **given),), **changes)


def bench(**changes: Any) -> Bench:
    b = Bench(watched(**changes))
    b.turn(T0, T0)
    return b


def only(events: list[IncidentEvent]) -> IncidentEvent:
    (event,) = events
    return event


def test_it_is_missing_when_its_time_is_over_and_all_input_is_in() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    assert b.turn(T0 + DUE - 1, T0 + DUE - 1) == []
    opened = only(b.turn(T0 + DUE, T0 + DUE))
    line = opened.headline
    assert (opened.fact, line.rule, line.group) == (Fact.OPENED, "heartbeat", {"heartbeat": "watchdog"})
    assert (line.severity, line.opened_at, line.count) == (Severity.HIGH, T0 + DUE, 0)
    assert line.title == (
        "Heartbeat watchdog of prometheus is missing: last heard of at 2027-01-15T08:00:00Z, due every 5m"
    )
    assert (line.labels["heartbeat"], line.labels["source"], line.labels["severity"]) == (
        "watchdog",
        "prometheus",
        "high",
    )
    assert line.sources == ("prometheus",)
    assert "lagging" not in opened.reason
    assert b.turn(T0 + 9 * MINUTE, T0 + 9 * MINUTE) == []


def test_every_beat_puts_it_off() -> None:
    b = bench()
    for n in range(20):
        b.take(b.beat("watchdog", T0 + n * MINUTE))
        assert b.turn(T0 + n * MINUTE, T0 + n * MINUTE) == []
    assert b.turn(T0 + 19 * MINUTE + DUE - 1, T0 + 19 * MINUTE + DUE - 1) == []
    assert facts(b.turn(T0 + 19 * MINUTE + DUE, T0 + 19 * MINUTE + DUE)) == [Fact.OPENED]


def test_one_that_never_came_is_missing_from_when_it_was_expected() -> None:
    b = bench()
    assert b.turn(T0 + DUE - 1, T0 + DUE - 1) == []
    opened = only(b.turn(T0 + DUE, T0 + DUE))
    assert "never heard of" in opened.headline.title


@pytest.mark.parametrize("step", [1, 7, 29, 61])
def test_a_gap_shorter_than_its_time_is_no_absence_however_often_it_came_before(step: int) -> None:
    b = bench()
    out = Slice()
    (beating,) = Heartbeats(b.config, lambda tenant: (b.number,)).of_source("prometheus")
    last = T0 + 12 * MINUTE
    for n, at in enumerate([*range(T0, last, step * SECOND), last, last + FIVE]):
        b.turn(at - 1, at - 1)
        beating.beat(Origin("a" * 32, 0, n, 0), at, out)
        assert b.take(*out.signals.pop(b.number, ())) + b.turn(at, at) == [], at - T0


def test_a_shorter_time_is_expected_from_the_reload_on() -> None:
    """With the longer one the newest beat that was told of may be minutes old, although they come all the time."""
    b = bench(every=60 * MINUTE)
    b.take(b.beat("watchdog", T0))
    b.turn(T0 + 5 * MINUTE, T0 + 5 * MINUTE)
    b.reload(watched(every=MINUTE))
    now = T0 + 5 * MINUTE + SECOND
    assert b.turn(now, now) == []
    assert msgspec.json.decode(msgspec.json.encode(b.shard.beats["watchdog"]), type=Beat).every == MINUTE
    b.decider = Decider(b.shard, b.config, "d" * 64)
    assert b.turn(now + 66 * SECOND - 1, now + 66 * SECOND - 1) == []
    assert facts(b.turn(now + 66 * SECOND, now + 66 * SECOND)) == [Fact.OPENED]


def test_what_another_version_kept_of_a_beat_is_no_reason_to_miss_it_later() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(["prometheus", "default", T0, T0 + MINUTE]), type=Beat)
    b = Bench(watched())
    b.shard.beats["watchdog"] = kept
    assert b.turn(T0 + MINUTE + DUE - 1, T0 + MINUTE + DUE - 1) == []
    assert facts(b.turn(T0 + MINUTE + DUE, T0 + MINUTE + DUE)) == [Fact.OPENED]


def test_it_comes_again_and_the_incident_resolves_and_is_reopened_by_the_next_absence() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    opened = only(b.turn(T0 + DUE, T0 + DUE)).headline
    assert b.take(b.beat("watchdog", T0 + 7 * MINUTE)) == []
    resolved = only(b.turn(T0 + 7 * MINUTE, T0 + 7 * MINUTE))
    assert (resolved.fact, resolved.headline.id) == (Fact.RESOLVED, opened.id)
    again = only(b.turn(T0 + 7 * MINUTE + DUE, T0 + 7 * MINUTE + DUE))
    assert (again.fact, again.headline.id) == (Fact.REOPENED, opened.id)
    assert again.headline.episode != opened.episode


def test_after_its_grace_another_one_opens() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    opened = only(b.turn(T0 + DUE, T0 + DUE)).headline
    for n in range(6, 60):
        b.take(b.beat("watchdog", T0 + n * MINUTE))
        b.turn(T0 + n * MINUTE, T0 + n * MINUTE)
    (new,) = b.turn(T0 + 59 * MINUTE + DUE, T0 + 59 * MINUTE + DUE)
    assert (new.fact, new.headline.id != opened.id) == (Fact.OPENED, True)
    assert len(b.shard.members) == 1


def test_the_same_beats_give_the_same_incident() -> None:
    ids = []
    for late in (0, 17 * SECOND):
        b = bench()
        b.take(b.beat("watchdog", T0 + 90 * SECOND, offset=7))
        line = only(b.turn(T0 + 90 * SECOND + DUE + late, T0 + 90 * SECOND + DUE + late)).headline
        ids.append((line.id, line.episode, line.opened_at))
    assert ids[0] == ids[1]


def test_what_is_under_way_is_waited_for_at_most_30_seconds_then_it_fires_and_says_so() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    due = T0 + DUE
    assert b.turn(due + 30 * SECOND - 1, NEVER_SURE) == []
    opened = only(b.turn(due + 30 * SECOND, NEVER_SURE))
    assert "lagging" in opened.reason
    assert opened.headline.opened_at == due


def test_a_critical_one_waits_5_seconds() -> None:
    b = bench(severity=Severity.CRITICAL)
    b.take(b.beat("watchdog", T0))
    assert b.turn(T0 + DUE + 5 * SECOND - 1, NEVER_SURE) == []
    assert facts(b.turn(T0 + DUE + 5 * SECOND, NEVER_SURE)) == [Fact.OPENED]


def test_a_new_owner_gives_what_waited_for_it_time_to_come_in() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    b.shard.claimed_at = T0 + 60 * MINUTE
    assert b.turn(T0 + 60 * MINUTE + 30 * SECOND - 1, NEVER_SURE) == []
    assert facts(b.turn(T0 + 60 * MINUTE + 30 * SECOND, NEVER_SURE)) == [Fact.OPENED]


def test_old_beats_that_come_in_late_neither_resolve_nor_open_again() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    now = T0 + 60 * MINUTE
    b.turn(now, NEVER_SURE)
    for n in range(1, 55):
        b.take(b.beat("watchdog", T0 + n * MINUTE))
        assert b.turn(now, NEVER_SURE) == [], n
    b.take(b.beat("watchdog", T0 + 55 * MINUTE))
    assert facts(b.turn(now, NEVER_SURE)) == [Fact.RESOLVED]


def test_the_newest_counts_in_whatever_order_they_come() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0 + 3 * MINUTE, offset=9), b.beat("watchdog", T0, offset=3))
    assert b.turn(T0 + 3 * MINUTE + DUE - 1, T0 + 3 * MINUTE + DUE - 1) == []
    assert facts(b.turn(T0 + 3 * MINUTE + DUE, T0 + 3 * MINUTE + DUE)) == [Fact.OPENED]


def test_rules_of_the_configuration_do_not_take_it_and_its_team_gets_it() -> None:
    rules = (RuleConfig(name="all", group_by=()),)
    b = bench(rules=rules, team="night", teams={"night": TeamConfig(page=("x",))}, service="checkout")
    b.take(b.alert("A"))
    opened = only(b.turn(T0 + DUE, T0 + DUE))
    assert (opened.headline.rule, opened.headline.team, opened.headline.services) == (
        "heartbeat",
        "night",
        ("checkout",),
    )
    assert opened.headline.priority is Priority.P2


def test_it_survives_a_restart_missing_or_not() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    for missing in (False, True):
        if missing:
            b.turn(T0 + DUE, T0 + DUE)
        held = msgspec.json.encode(b.shard.beats["watchdog"])
        assert (msgspec.json.decode(held, type=Beat).missing is not None) is missing
        b.decider = Decider(b.shard, b.config, "c" * 64)
        assert b.turn(T0 + MINUTE, NEVER_SURE) == []
    b.shard.claimed_at = T0 + 6 * MINUTE
    assert b.turn(T0 + 6 * MINUTE, NEVER_SURE) == [], "a new owner does not take it for returned"
    b.take(b.beat("watchdog", T0 + 6 * MINUTE))
    assert facts(b.turn(T0 + 6 * MINUTE, NEVER_SURE)) == [Fact.RESOLVED]


def test_what_is_written() -> None:
    b = Bench(watched())
    b.decider.look(T0, T0)
    b.decider._signal(b.beat("watchdog", T0))
    ((key, sets, gone),) = b.shard.take_change().hashes
    assert (key, gone) == (6, [])
    assert sorted(sets[::2]) == ["h:watchdog", "s:prometheus"]
    b.reload(config())
    b.decider.look(T0, T0)
    assert b.shard.take_change().hashes == [(6, [], ["h:watchdog"])]


def test_a_reload_that_no_longer_names_it_closes_its_incident() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    b.turn(T0 + DUE, T0 + DUE)
    b.reload(config())
    ended = b.turn(T0 + 6 * MINUTE, T0 + 6 * MINUTE)
    assert facts(ended) == [Fact.RESOLVED, Fact.CLOSED]
    assert "no longer expected" in ended[0].reason
    assert (b.shard.beats, b.turn(T0 + 60 * MINUTE, T0 + 60 * MINUTE)) == ({}, [])
    b.reload(watched())
    b.turn(T0 + 61 * MINUTE, T0 + 61 * MINUTE)
    new = only(b.turn(T0 + 61 * MINUTE + DUE, T0 + 61 * MINUTE + DUE))
    assert (new.fact, new.headline.id != ended[0].headline.id) == (Fact.OPENED, True)


def test_a_longer_time_does_not_take_an_absence_back_before_it_comes() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    opened = only(b.turn(T0 + DUE, T0 + DUE)).headline
    b.reload(watched(every=10 * MINUTE))
    assert b.turn(T0 + 6 * MINUTE, T0 + 6 * MINUTE) == []
    b.take(b.beat("watchdog", T0 + 7 * MINUTE))
    assert only(b.turn(T0 + 7 * MINUTE, T0 + 7 * MINUTE)).headline.id == opened.id


def test_resolved_by_a_person_it_stays_quiet_until_it_came_and_stayed_away_again() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    name = only(b.turn(T0 + DUE, T0 + DUE)).headline.id
    assert facts(b.take(b.command(Verb.RESOLVE, name, 1, T0 + 6 * MINUTE))) == [Fact.RESOLVED]
    assert b.turn(T0 + 20 * MINUTE, T0 + 20 * MINUTE) == []
    b.take(b.beat("watchdog", T0 + 21 * MINUTE))
    assert b.turn(T0 + 21 * MINUTE, T0 + 21 * MINUTE) == []
    assert facts(b.turn(T0 + 21 * MINUTE + DUE, T0 + 21 * MINUTE + DUE)) == [Fact.REOPENED]


def test_a_beat_of_another_source_or_one_that_is_not_expected_is_none() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0 + 4 * MINUTE, source="grafana"), b.beat("strange", T0 + 4 * MINUTE))
    assert facts(b.turn(T0 + DUE, T0 + DUE)) == [Fact.OPENED]


# --- silence is not recovery


def stale_bench() -> Bench:
    """An alert that has to be repeated within four minutes, of a source that goes on sending others."""
    b = bench()
    b.take(b.beat("watchdog", T0), b.alert("A", valid_for=4 * MINUTE), b.alert("B", service="cart"))
    return b


def hum(b: Bench, minutes: range, beats: bool) -> dict[int, list[Fact]]:
    """The source sends another alert every half minute, with its heartbeat or without; what is said when."""
    said: dict[int, list[Fact]] = {}
    for n in range(minutes.start * 2, minutes.stop * 2):
        at = T0 + n * MINUTE // 2
        beat = [b.beat("watchdog", at)] if beats else []
        events = b.take(b.alert("B", service="cart", at=at), *beat)
        events += b.turn(at, at)
        mine = [e.fact for e in events if e.headline.rule == "by-service" and e.headline.group["service"] == "checkout"]
        if mine:
            said[n // 2] = mine
    return said


def test_a_member_goes_stale_while_the_heartbeat_comes() -> None:
    assert hum(stale_bench(), range(1, 10), beats=True) == {4: [Fact.RESOLVED]}


def test_nothing_of_the_source_goes_stale_while_it_is_missing_and_afterwards_all_get_their_whole_span() -> None:
    b = stale_bench()
    b.take(b.alert("A", at=T0 + 4 * MINUTE, valid_for=4 * MINUTE))
    assert hum(b, range(1, 30), beats=False) == {}
    (incident,) = [i for i in b.shard.incidents.values() if i.doc.rule == "heartbeat"]
    assert incident.doc.status is IncidentStatus.OPEN
    assert hum(b, range(30, 40), beats=True) == {34: [Fact.RESOLVED]}


def test_time_that_jumps_past_both_lets_nothing_go_stale() -> None:
    b = stale_bench()
    b.take(b.alert("A", at=T0 + 2 * MINUTE, valid_for=4 * MINUTE))
    # The source goes on sending, without its heartbeat, and no turn of the owner lies between.
    b.take(*(b.alert("B", service="cart", at=T0 + n * MINUTE // 2) for n in range(5, 41)))
    assert [e.headline.rule for e in b.turn(T0 + 20 * MINUTE, T0 + 20 * MINUTE)] == ["heartbeat"]


def test_a_heartbeat_is_a_sign_of_its_source() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0), b.alert("A", valid_for=4 * MINUTE))
    for n in range(1, 5):
        b.take(b.beat("watchdog", T0 + n * MINUTE))
    assert facts(b.turn(T0 + 4 * MINUTE, T0 + 4 * MINUTE)) == [Fact.RESOLVED]


# --- shards


def test_only_the_home_shard_opens_and_with_labels_as_domains_all_of_them_wait() -> None:
    home = shard_of(("default",), 8)
    for domain in ((), ("site",)):
        given = watched(correlation=CorrelationConfig(domain=domain))
        for number in range(8):
            shard = Shard(number, epoch=1, owner="me", claimed_at=T0 - 60 * MINUTE)
            decider = Decider(shard, given, "c" * 64, 8)
            decider.look(T0, T0)
            decider.look(T0 + DUE, T0 + DUE)
            assert [event.fact for event in shard.events] == ([Fact.OPENED] if number == home else [])
            assert len(shard.beats) == (1 if domain or number == home else 0)


def test_the_end_of_a_member_is_newer_than_its_beginning_whatever_the_times() -> None:
    b = bench()
    b.take(b.beat("watchdog", T0))
    b.turn(T0 + DUE + 30 * SECOND, NEVER_SURE)
    b.take(b.beat("watchdog", T0 + 2 * MINUTE))
    assert facts(b.turn(T0 + DUE + 31 * SECOND, NEVER_SURE)) == [Fact.RESOLVED]
    (member,) = b.shard.members.values()
    assert (member.newest.observed, member.count) == (T0 + DUE + 1, 0)
    assert b.alert("A").status is Status.FIRING


# --- a store that was set back


def said(b: Bench, epoch: int, *events: IncidentEvent) -> IncidentRecord:
    """What an owner before this one published."""
    return IncidentRecord(b.number, epoch, "another", events)


def test_an_absence_that_a_store_forgot_is_not_withdrawn_while_it_lasts() -> None:
    before = bench()
    before.take(before.beat("watchdog", T0, offset=7))
    opened = only(before.turn(T0 + DUE, T0 + DUE))
    b = Bench(watched())
    b.take(b.command(Verb.ACKNOWLEDGE, opened.headline.id, 1))
    b.take(b.beat("watchdog", T0, offset=7))
    b.turn(T0, T0)
    assert b.decider.heard([said(b, 0, opened)]) == 0
    again, acknowledged = b.end()
    assert (again.fact, again.headline.id, again.headline.episode) == (
        Fact.OPENED,
        opened.headline.id,
        opened.headline.episode,
    )
    assert (again.epoch, again.revision) > (opened.epoch, opened.revision)
    assert acknowledged.fact is Fact.ACKNOWLEDGED
    assert b.turn(T0 + 2 * DUE, T0 + 2 * DUE) == []
    b.take(b.beat("watchdog", T0 + 2 * DUE))
    assert facts(b.turn(T0 + 2 * DUE, T0 + 2 * DUE)) == [Fact.RESOLVED]


def test_an_absence_that_is_over_as_far_as_is_known_or_nobodys_is_withdrawn() -> None:
    before = bench()
    before.take(before.beat("watchdog", T0, offset=7))
    opened = only(before.turn(T0 + DUE, T0 + DUE))
    for config_ in (watched(), config()):
        b = Bench(config_)
        b.take(b.beat("watchdog", T0 + MINUTE, offset=8))
        b.turn(T0 + MINUTE, T0 + MINUTE)
        b.decider.heard([said(b, 0, opened)])
        assert facts(b.end()) == [Fact.WITHDRAWN]
