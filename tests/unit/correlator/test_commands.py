"""What people's answers do: by incident or by alert, in order, for the episode and the tenant that they are about."""

from __future__ import annotations

from typing import Any

import orjson

from correlator.owner import _dead_command
from kernel.model.alert import Origin, Status
from kernel.model.incident import Fact, IncidentStatus
from kernel.model.signals import Command, Verb
from tests.unit.correlator.build import ANSWERS, MINUTE, T0, Bench, facts

R = Status.RESOLVED
SECOND = 1_000


def answer(offset: int, verb: Verb = Verb.ACKNOWLEDGE, at: int = T0, **fields: Any) -> Command:
    """A command with everything that it may name."""
    given: dict[str, Any] = {"id": f"c{offset}", "incident": "", "by": "ann", **fields}
    return Command(verb=verb, origin=Origin(ANSWERS, 0, offset, 0), arrival=at, **given)


def test_an_answer_to_an_alert_is_one_to_its_incident() -> None:
    b = Bench()
    alert = b.alert("A")
    name = b.take(alert)[0].headline.id
    b.take(b.alert("B"))
    (event,) = b.take(answer(1, alert=alert.fingerprint))
    assert (event.fact, event.headline.id, event.headline.answered_by) == (Fact.ACKNOWLEDGED, name, "ann")
    assert facts(b.take(answer(2, Verb.RESOLVE, alert=alert.fingerprint))) == [Fact.RESOLVED]


def test_an_answer_to_an_alert_waits_for_it_whether_it_opens_or_joins() -> None:
    b = Bench()
    first, second = b.alert("A"), b.alert("B")
    assert b.take(answer(1, alert=first.fingerprint), answer(2, Verb.NOTE, alert=first.fingerprint, note="on it")) == []
    assert facts(b.take(first)) == [Fact.OPENED, Fact.ACKNOWLEDGED, Fact.NOTED]
    b.take(answer(3, Verb.UNACKNOWLEDGE, alert=second.fingerprint))
    assert facts(b.take(second)) == [Fact.UNACKNOWLEDGED]
    assert not b.shard.commands
    assert not [name for name in b.shard.timers if name.startswith("command:")]


def test_what_comes_later_for_a_target_waits_behind_what_waits() -> None:
    b = Bench()
    alert = b.alert("A")
    b.take(answer(1, Verb.RESOLVE, alert=alert.fingerprint))
    b.take(answer(2, Verb.NOTE, alert=alert.fingerprint, note="first resolved, then noted"))
    assert facts(b.take(alert)) == [Fact.OPENED, Fact.RESOLVED, Fact.NOTED]


def test_an_answer_to_an_alert_that_never_comes_is_dead_and_says_of_which() -> None:
    b = Bench()
    b.take(answer(1, alert="f" * 32, episode="abcdefgh", tenant="default"))
    assert b.pass_time(T0 + 29 * SECOND) == []
    assert not b.shard.dead
    b.pass_time(T0 + 30 * SECOND)
    ((command, why),) = b.shard.dead
    assert "no alert ffff" in why
    letter = orjson.loads(_dead_command(command, why))
    assert orjson.loads(letter["value"])["command"] == {
        "id": "c1",
        "verb": "acknowledge",
        "incident": "",
        "by": "ann",
        "note": "",
        "alert": "f" * 32,
        "episode": "abcdefgh",
        "tenant": "default",
    }


def test_a_broad_answer_that_fits_nothing_here_is_counted_and_not_dead() -> None:
    b = Bench()
    b.take(answer(1, alert="f" * 32, broad=True))
    b.pass_time(T0 + MINUTE)
    assert not b.shard.dead
    assert b.shard.totals == {"commands:acknowledge:elsewhere": 1}


def test_an_acknowledgement_that_overtakes_the_next_episode_meets_it() -> None:
    b = Bench()
    alert = b.alert("A")
    b.take(alert, b.alert("A", R, at=T0 + 1))
    assert b.take(answer(1, alert=alert.fingerprint, at=T0 + 3)) == []
    assert facts(b.take(b.alert("A", at=T0 + 2))) == [Fact.REOPENED, Fact.ACKNOWLEDGED]


def test_an_acknowledgement_of_what_is_over_changes_nothing_and_is_not_dead() -> None:
    b = Bench()
    alert = b.alert("A")
    b.take(alert, b.alert("A", R, at=T0 + 1))
    b.take(answer(1, alert=alert.fingerprint, at=T0 + 2))
    assert b.pass_time(T0 + MINUTE) == []
    assert (b.shard.dead, b.shard.commands) == ([], {})


def test_only_the_episode_that_it_is_about() -> None:
    b = Bench()
    opened = b.take(b.alert("A"))[0].headline
    b.take(b.alert("A", R, at=T0 + 1), b.alert("A", at=T0 + 2))
    (incident,) = b.shard.incidents.values()
    for offset in (1, 2):
        late = answer(offset, Verb.RESOLVE, incident=opened.id, episode=opened.episode)
        assert b.take(late) == []
    assert incident.doc.status is IncidentStatus.OPEN
    assert b.shard.totals == {"commands:resolve:other_episode": 2}
    told = [entry.why for entry in incident.doc.timeline if entry.what == "passed over"]
    assert told == ["the resolve by ann is about an earlier episode; it changed nothing"]
    now = answer(3, incident=opened.id, episode=incident.doc.episode)
    assert facts(b.take(now)) == [Fact.ACKNOWLEDGED]


def test_only_an_incident_of_its_own_tenant() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    assert b.take(answer(1, incident=name, tenant="somebody")) == []
    ((_, why),) = b.shard.dead
    assert "tenant somebody" in why
    (incident,) = b.shard.incidents.values()
    assert [entry.what for entry in incident.doc.timeline] == ["opened"]
    assert facts(b.take(answer(2, incident=name, tenant="default"))) == [Fact.ACKNOWLEDGED]


def test_taken_back_it_is_open_again_with_nobody_at_it() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    assert b.take(answer(1, Verb.UNACKNOWLEDGE, incident=name)) == []
    b.take(answer(2, incident=name))
    (event,) = b.take(answer(3, Verb.UNACKNOWLEDGE, incident=name))
    assert (event.fact, event.headline.status) == (Fact.UNACKNOWLEDGED, IncidentStatus.OPEN)
    assert event.headline.answered_by is None


def test_a_note_is_a_line_of_the_timeline_and_a_fact_and_an_empty_one_is_nothing() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    (event,) = b.take(answer(1, Verb.NOTE, incident=name, note="restarted the pod"))
    assert (event.fact, event.reason) == (Fact.NOTED, "by ann: restarted the pod")
    assert b.take(answer(2, Verb.NOTE, incident=name)) == []
    (incident,) = b.shard.incidents.values()
    assert incident.doc.timeline[-1].why == "by ann: restarted the pod"
    for offset in range(3, 300):
        b.take(answer(offset, Verb.NOTE, incident=name, note=f"note {offset}"))
    assert len(incident.doc.timeline) == 100
    assert (incident.doc.timeline[0].what, incident.doc.timeline[-1].why) == ("opened", "by ann: note 299")


def test_the_same_answer_delivered_again_is_one() -> None:
    b = Bench()
    name = b.take(b.alert("A"))[0].headline.id
    b.take(answer(1, Verb.NOTE, incident=name, note="once", id="delivery"))
    assert b.take(answer(2, Verb.NOTE, incident=name, note="once", id="delivery")) == []


def test_an_answer_to_an_incident_that_was_merged_goes_to_the_other_one() -> None:
    b = Bench()
    first = b.take(b.alert("A", valid_for=60 * MINUTE))[0].headline
    second = b.take(b.alert("B", at=T0 + 15 * MINUTE, valid_for=60 * MINUTE))[0].headline
    merged = b.take(b.alert("C", at=T0 + 8 * MINUTE, valid_for=60 * MINUTE))
    assert Fact.MERGED in facts(merged)
    (event,) = b.take(answer(1, incident=second.id, episode=second.episode))
    assert (event.fact, event.headline.id) == (Fact.ACKNOWLEDGED, first.id)


def test_what_waits_is_bounded() -> None:
    b = Bench()
    for offset in range(2_100):
        b.take(answer(offset, alert=f"{offset:032x}"))
    assert len(b.shard.commands) == 2_000
    assert len(b.shard.dead) == 100
    b.take(answer(2_100, alert=f"{2_100:032x}", broad=True))
    assert b.shard.totals == {"commands:acknowledge:overflow": 1}, "it may have been meant for this shard"
    for offset in range(2_101, 2_250):
        b.take(answer(offset, alert=f"{0:032x}"))
    assert len(b.shard.commands[f"alert/{0:032x}"]) == 100


def test_an_answer_to_an_alert_is_not_one_to_an_episode_that_began_later() -> None:
    """Resolved and fired again before the answer came through: the answer was about what is over."""
    for first in (True, False):
        b = Bench()
        alert = b.alert("A")
        b.take(alert, b.alert("A", R, at=T0 + 1))
        late = answer(1, Verb.RESOLVE, alert=alert.fingerprint, at=T0 + 2)
        again = b.alert("A", at=T0 + 20 * SECOND)
        said = b.take(late, again) if first else b.take(again, late)
        assert facts(said) == [Fact.REOPENED]
        assert b.pass_time(T0 + MINUTE) == []
        (incident,) = b.shard.incidents.values()
        assert (incident.doc.status, b.shard.dead, b.shard.commands) == (IncidentStatus.OPEN, [], {})
        assert b.shard.totals == {"commands:resolve:other_episode": 1}
        assert incident.doc.timeline[-1].what == "passed over"


def test_an_answer_to_an_alert_that_is_not_known_is_none_to_one_that_fires_later() -> None:
    b = Bench()
    b.take(b.alert("B", at=T0 - MINUTE))
    later = b.alert("A", at=T0 + 20 * SECOND)
    b.take(answer(1, Verb.RESOLVE, alert=later.fingerprint, at=T0))
    assert Fact.RESOLVED not in facts(b.take(later))
    assert b.pass_time(T0 + MINUTE) == []
    (incident,) = b.shard.incidents.values()
    assert incident.doc.status is IncidentStatus.OPEN


def test_a_sender_whose_clock_is_ahead_is_answered_all_the_same() -> None:
    b = Bench()
    alert = b.alert("A", at=T0 + MINUTE, arrival=T0)
    b.take(alert)
    assert facts(b.take(answer(1, alert=alert.fingerprint, at=T0 + 3))) == [Fact.ACKNOWLEDGED]


def test_an_alert_that_was_sent_before_its_answer_and_came_after_it_is_meant() -> None:
    b = Bench()
    alert = b.alert("A", at=T0, arrival=T0 + 20 * SECOND)
    b.take(answer(1, alert=alert.fingerprint, at=T0 + 3))
    assert facts(b.take(alert)) == [Fact.OPENED, Fact.ACKNOWLEDGED]


def test_an_incident_that_another_version_kept_is_answered() -> None:
    b = Bench()
    alert = b.alert("A")
    b.take(alert)
    (incident,) = b.shard.incidents.values()
    incident.doc.began = 0
    assert facts(b.take(answer(1, alert=alert.fingerprint, at=T0 + 3))) == [Fact.ACKNOWLEDGED]
