"""What observations, counts, commands and time do to incidents."""

from __future__ import annotations

from kernel.model.alert import Severity, Status
from kernel.model.incident import Fact, IncidentStatus, Priority
from kernel.model.signals import Verb
from kernel.model.state import MemberState
from tests.unit.correlator.build import MINUTE, T0, Bench, counts, facts

R, F = Status.RESOLVED, Status.FIRING


def only(bench: Bench):  # type: ignore[no-untyped-def]
    """The one incident."""
    (incident,) = bench.shard.incidents.values()
    return incident


def test_alerts_of_one_group_are_one_incident_that_resolves_with_the_last() -> None:
    b = Bench()
    assert facts(b.take(b.alert("A"))) == [Fact.OPENED]
    assert facts(b.take(b.alert("B"))) == [Fact.JOINED]
    assert facts(b.take(b.alert("A", R, at=T0 + 1))) == [Fact.JOINED]
    (event,) = b.take(b.alert("B", R, at=T0 + 2))
    assert (event.fact, event.headline.status) == (Fact.RESOLVED, IncidentStatus.RESOLVED)
    assert (event.headline.members, event.headline.firing) == (2, 0)


def test_the_id_follows_from_rule_group_and_opener_alone() -> None:
    one, other = Bench(), Bench()
    first = one.take(one.alert("A", offset=7))[0].headline
    again = other.take(other.alert("A", offset=7), other.alert("B"))[0].headline
    assert (first.id, first.episode) == (again.id, again.episode)
    third = Bench()
    assert third.take(third.alert("A", offset=8))[0].headline.id != first.id


def test_firing_within_the_grace_reopens_as_a_new_episode_and_later_opens_anew() -> None:
    b = Bench()
    opened = b.take(b.alert("A"))[0].headline
    b.take(b.alert("A", R, at=T0 + 1))
    (again,) = b.take(b.alert("A", at=T0 + 29 * MINUTE))
    assert (again.fact, again.headline.id) == (Fact.REOPENED, opened.id)
    assert again.headline.episode != opened.episode
    b.take(b.alert("A", R, at=T0 + 30 * MINUTE))
    assert facts(b.pass_time(T0 + 61 * MINUTE)) == [Fact.CLOSED]
    (new,) = b.take(b.alert("A", at=T0 + 62 * MINUTE))
    assert (new.fact, new.headline.id != opened.id) == (Fact.OPENED, True)


def test_a_raise_acts_at_once_and_a_fall_waits() -> None:
    b = Bench()
    (opened,) = b.take(b.alert("A", severity=Severity.MEDIUM))
    assert opened.headline.priority is Priority.P3
    (raised,) = b.take(b.alert("B"))
    assert (raised.fact, raised.headline.priority, raised.headline.reached) == (Fact.RAISED, Priority.P2, Priority.P2)
    b.take(b.alert("B", R, at=T0 + MINUTE))
    assert only(b).doc.score.priority is Priority.P2
    assert b.pass_time(T0 + 5 * MINUTE) == []
    (fell,) = b.pass_time(T0 + 6 * MINUTE)
    assert (fell.fact, fell.headline.priority, fell.headline.reached) == (Fact.LOWERED, Priority.P3, Priority.P2)


def test_a_raise_takes_an_acknowledgement_back() -> None:
    b = Bench()
    name = b.take(b.alert("A", severity=Severity.MEDIUM))[0].headline.id
    assert facts(b.take(b.command(Verb.ACKNOWLEDGE, name, 1))) == [Fact.ACKNOWLEDGED]
    (raised,) = b.take(b.alert("B"))
    assert raised.headline.status is IncidentStatus.OPEN


def test_counts_are_added_once_a_range_and_overlaps_are_stated() -> None:
    b = Bench()
    a = b.alert("A")
    b.take(a, counts(0, 10, (a, 10)))
    b.take(counts(0, 10, (a, 10)))
    assert only(b).doc.count == 10
    b.take(counts(5, 12, (a, 7)))
    assert only(b).doc.count == 10
    assert b.shard.totals == {"inexact_ranges": 1, "inexact_alerts": 7}
    b.take(counts(12, 15, (a, 3)))
    assert only(b).doc.count == 13


def test_counts_before_their_member_wait_for_it() -> None:
    b = Bench()
    a = b.alert("A")
    b.take(counts(0, 5, (a, 5)))
    assert not b.shard.incidents
    b.take(a)
    assert only(b).doc.count == 5


def test_counts_that_nobody_claims_are_unattributed_with_a_reason() -> None:
    b = Bench()
    b.take(counts(0, 5, (b.alert("A"), 3), (b.alert("B", R), 2)))
    b.pass_time(T0 + 5 * MINUTE)
    assert b.shard.totals == {"unattributed:unknown": 3, "unattributed:resolved_unknown": 2}


def test_a_newer_firing_count_reopens_like_a_transition() -> None:
    b = Bench()
    a = b.alert("A")
    b.take(a, b.alert("A", R, at=T0 + 10))
    assert only(b).doc.status is IncidentStatus.RESOLVED
    assert facts(b.take(counts(0, 5, (b.alert("A", at=T0 + 20), 3)))) == [Fact.REOPENED]


def test_a_resolve_of_an_unknown_alert_opens_nothing() -> None:
    b = Bench()
    assert b.take(b.alert("A", R)) == []
    assert not b.shard.members


def test_a_resolve_by_command_ends_the_episode_not_its_members() -> None:
    b = Bench()
    a = b.alert("A")
    name = b.take(a)[0].headline.id
    (resolved,) = b.take(b.command(Verb.RESOLVE, name, 1))
    assert (resolved.headline.status, resolved.headline.handled) == (IncidentStatus.RESOLVED, 1)
    again = b.alert("A", at=T0 + MINUTE)
    assert b.take(again, counts(0, 9, (again, 9))) == []
    assert only(b).doc.count == 9
    b.take(b.alert("A", R, at=T0 + 2 * MINUTE))
    assert only(b).doc.handled == 0
    assert facts(b.take(b.alert("A", at=T0 + 3 * MINUTE))) == [Fact.REOPENED]


def test_a_handled_member_whose_severity_rises_opens_a_new_episode() -> None:
    b = Bench()
    name = b.take(b.alert("A", severity=Severity.MEDIUM))[0].headline.id
    b.take(b.command(Verb.RESOLVE, name, 1))
    assert b.take(b.alert("A", at=T0 + 1, severity=Severity.MEDIUM)) == []
    assert facts(b.take(b.alert("A", at=T0 + 2, severity=Severity.CRITICAL))) == [Fact.REOPENED]


def test_another_firing_member_opens_a_new_episode_after_a_resolve_by_command() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    b.take(b.command(Verb.RESOLVE, name, 1))
    (event,) = b.take(b.alert("B", at=T0 + 1))
    assert (event.fact, event.headline.id) == (Fact.REOPENED, name)


def test_a_command_is_taken_once_and_in_order() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    b.take(b.command(Verb.ACKNOWLEDGE, name, 5))
    assert b.take(b.command(Verb.RESOLVE, name, 4)) == []
    assert b.take(b.command(Verb.ACKNOWLEDGE, name, 5)) == []
    assert only(b).doc.answers == ["cmd-5"]


def test_a_command_waits_for_its_incident_and_dies_after_30_s() -> None:
    known = Bench()
    name = known.take(known.alert("A", offset=9))[0].headline.id
    b = Bench()
    b.take(b.command(Verb.ACKNOWLEDGE, name, 1))
    events = b.take(b.alert("A", offset=9))
    assert facts(events) == [Fact.OPENED, Fact.ACKNOWLEDGED]
    late = Bench()
    late.take(late.command(Verb.ACKNOWLEDGE, name, 1))
    late.pass_time(T0 + 29_000)
    assert not late.shard.dead
    late.pass_time(T0 + 30_000)
    assert [command.id for command, _ in late.shard.dead] == ["cmd-1"]


def test_the_window_slides_with_firing_members_and_then_a_new_incident_opens() -> None:
    b = Bench()
    first = b.take(b.alert("A", valid_for=100 * MINUTE))[0].headline.id
    b.take(counts(0, 5, (b.alert("A", at=T0 + 9 * MINUTE), 5)))
    (joined,) = b.take(b.alert("B", at=T0 + 18 * MINUTE, valid_for=100 * MINUTE))
    assert joined.headline.id == first
    (opened,) = b.take(b.alert("C", at=T0 + 29 * MINUTE, valid_for=100 * MINUTE))
    assert (opened.fact, opened.headline.id != first) == (Fact.OPENED, True)


def test_a_member_whose_source_sends_once_a_change_holds_the_window_open() -> None:
    b = Bench()
    first = b.take(b.alert("A"))[0].headline.id
    (joined,) = b.take(b.alert("B", at=T0 + 300 * MINUTE))
    assert joined.headline.id == first


def test_an_incident_past_its_cap_opens_a_linked_one_that_pages_only_above() -> None:
    b = Bench()
    first = b.take(b.alert("A"))[0].headline
    (second,) = b.take(b.alert("B", at=T0 + 1441 * MINUTE))
    assert (second.headline.predecessor, second.headline.page_above) == (first.id, first.reached)
    events = b.take(b.alert("A", R, at=T0 + 1442 * MINUTE))
    assert [(e.fact, e.headline.id, e.headline.page_above) for e in events] == [
        (Fact.RESOLVED, first.id, None),
        (Fact.REPEATED, second.headline.id, None),
    ]


def test_silence_is_not_recovery_but_a_missing_repeat_is() -> None:
    b = Bench()
    b.take(b.alert("A", valid_for=4 * MINUTE), b.alert("B", service="reports", valid_for=4 * MINUTE))
    # The source is dead: however late, nothing is stale.
    assert b.pass_time(T0 + 60 * MINUTE) == []
    # It comes back after an hour: its members get the whole of their time to be repeated.
    b.take(b.alert("B", at=T0 + 60 * MINUTE, service="reports", valid_for=4 * MINUTE))
    assert b.pass_time(T0 + 63 * MINUTE) == []
    for minute in range(61, 65):
        b.take(b.alert("B", at=T0 + minute * MINUTE, service="reports", valid_for=4 * MINUTE))
    (event,) = b.pass_time(T0 + 64 * MINUTE)
    assert (event.fact, event.headline.services) == (Fact.RESOLVED, ("checkout",))
    states = {m.state for m in b.shard.members.values()}
    assert states == {MemberState.STALE, MemberState.FIRING}


def test_what_others_said_in_our_name_is_said_again_or_withdrawn() -> None:
    from kernel.model.incident import IncidentRecord

    b, zombie = Bench(), Bench()
    zombie.shard.owner = "other"
    known = b.take(b.alert("A", offset=1))[0]
    foreign = zombie.take(zombie.alert("A", offset=1), zombie.alert("X", offset=2, service="reports"))
    record = IncidentRecord(3, 0, "other", tuple(foreign))
    assert b.decider.heard([record]) == 0
    events = b.end()
    assert [(e.fact, e.headline.status) for e in events] == [(Fact.WITHDRAWN, IncidentStatus.WITHDRAWN)]
    assert all(e.headline.id != known.headline.id for e in events)
    assert b.decider.heard([IncidentRecord(3, 9, "other", tuple(foreign))]) == 9


def test_an_incident_that_comes_again_after_its_withdrawal_is_newer_than_that() -> None:
    from kernel.model.incident import IncidentRecord

    b, before = Bench(), Bench()
    told = before.take(before.alert("A", offset=1), before.alert("B", offset=2))
    b.decider.heard([IncidentRecord(3, -1, "other", tuple(told))])
    (withdrawn,) = b.end()
    (opened,) = b.take(b.alert("A", offset=1))
    assert opened.headline.id == withdrawn.headline.id
    assert (opened.epoch, opened.revision) > (withdrawn.epoch, withdrawn.revision)


def test_tenants_that_share_a_shard_never_join() -> None:
    from msgspec.structs import replace

    b = Bench()
    one = b.alert("A")
    other = replace(b.alert("A"), tenant="other", fingerprint="f" * 32)
    assert facts(b.take(one, other)) == [Fact.OPENED, Fact.OPENED]
    assert {i.doc.tenant for i in b.shard.incidents.values()} == {"default", "other"}


def test_a_full_incident_rolls_over_into_a_linked_one() -> None:
    from kernel.config.schema import RuleConfig
    from tests.unit.correlator.build import config

    b = Bench(config(rules=(RuleConfig(name="small", group_by=("service",), size=2),)))
    first = b.take(b.alert("A"), b.alert("B"))[0].headline.id
    (third,) = b.take(b.alert("C"))
    assert (third.fact, third.headline.predecessor) == (Fact.OPENED, first)
    (fourth,) = b.take(b.alert("D"))
    assert (fourth.fact, fourth.headline.id) == (Fact.JOINED, third.headline.id)


def test_what_is_left_out_or_unattributed_is_told_once_to_the_metrics() -> None:
    b = Bench()
    a = b.alert("A")
    b.take(a, counts(0, 10, (a, 10)), counts(5, 12, (a, 7)))
    assert b.shard.take_added() == {"inexact_ranges": 1, "inexact_alerts": 7}
    assert b.shard.take_added() == {}
