"""What a shard keeps of changes: the newest observation of each, bounded in number and in time."""

from __future__ import annotations

import random
from typing import Any

from kernel.config.schema import CorrelationConfig
from kernel.config.values import Duration
from kernel.model.alert import Origin
from kernel.model.change import Change, ChangeOutcome
from kernel.model.signals import ChangeSeen
from tests.unit.correlator.build import MINUTE, T0, TOPIC, Bench, config

DAY = 24 * 60 * MINUTE


def change(name: str, when: int = T0, offset: int = 0, **fields: Any) -> ChangeSeen:
    """One observation of a change."""
    given: dict[str, Any] = {
        "source": "github",
        "fingerprint": name.ljust(32, "-"),
        "what": "deployment",
        "name": name,
        "outcome": ChangeOutcome.SUCCEEDED,
        "when": when,
        "received_at": when,
        "origin": Origin(TOPIC, 0, offset, 0),
        **fields,
    }
    return ChangeSeen(Change(**given))


def kept(bench: Bench) -> dict[str, tuple[ChangeOutcome, int, int]]:
    return {k.change.name: (k.change.outcome, k.first, k.change.when) for k in bench.shard.changes.values()}


def test_the_newest_observation_wins_in_whatever_order_they_come() -> None:
    seen = [
        change("a", T0, 1, outcome=ChangeOutcome.STARTED),
        change("a", T0 + 5 * MINUTE, 2, outcome=ChangeOutcome.FAILED),
        change("a", T0 + 2 * MINUTE, 3, outcome=ChangeOutcome.STARTED),
    ]
    for seed in range(20):
        order = random.Random(seed).choices(seen, k=6) + random.Random(seed).sample(seen, 3)
        b = Bench()
        b.take(*order)
        assert kept(b) == {"a": (ChangeOutcome.FAILED, T0, T0 + 5 * MINUTE)}


def test_they_open_nothing() -> None:
    b = Bench()
    assert b.take(change("a"), change("b")) == []
    assert (b.shard.incidents, b.shard.members, b.shard.sources) == ({}, {}, {})


def test_they_leave_after_their_time_and_one_that_goes_on_stays() -> None:
    b = Bench(config(correlation=CorrelationConfig(keep_changes=Duration(DAY))))
    b.take(change("a"), change("b"))
    b.take(change("b", T0 + DAY // 2, 9))
    b.pass_time(T0 + DAY - 1)
    assert sorted(kept(b)) == ["a", "b"]
    b.pass_time(T0 + DAY)
    assert sorted(kept(b)) == ["b"]
    b.pass_time(T0 + 3 * DAY // 2)
    assert (kept(b), b.shard.timers) == ({}, {})


def test_the_one_heard_of_longest_ago_makes_room() -> None:
    b = Bench()
    for number in range(1_000):
        b.take(change(f"c{number}", T0 + number, number))
    b.take(change("c0", T0 + 5_000, 2_000))
    b.take(change("new", T0 + 6_000, 2_001))
    assert len(b.shard.changes) == len(b.shard.timers) == 1_000
    assert {"c0", "new", "c2"} <= kept(b).keys()
    assert "c1" not in kept(b)


def test_what_is_written_and_removed() -> None:
    b = Bench()
    one = change("a")
    b.decider._signal(one)
    name = one.change.fingerprint
    written = b.shard.take_change()
    (entry,) = written.hashes
    assert (entry[0], entry[1][0]) == (7, name)
    b.decider.advance(T0 + 8 * DAY)
    assert b.shard.take_change().hashes == [(7, [], [name])]


def test_what_made_room_leaves_nothing_behind() -> None:
    b = Bench()
    for number in range(20_000):
        b.take(change(f"c{number}", T0 + number, number))
    assert len(b.shard.timers) == 1_000
    assert len(b.shard._heap) <= 5_000
    b.pass_time(T0 + 8 * DAY)
    assert (kept(b), b.shard.timers, b.shard._heap) == ({}, {}, [])
