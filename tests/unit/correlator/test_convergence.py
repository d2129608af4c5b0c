"""Whatever the order, lateness and repetition of the input: the same members, states, times and counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.model.alert import Alert, Severity, Status
from kernel.model.signals import Counts, Passed, Refresh, Signal, Transition
from tests.unit.correlator.build import MINUTE, T0, Bench, counts

DAY = 1440 * MINUTE

OBSERVATION = st.tuples(
    st.sampled_from("AB"),
    st.booleans(),
    st.integers(0, 20),
    st.sampled_from([Severity.CRITICAL, Severity.MEDIUM]),
)


def inputs(drawn: list[tuple[str, bool, int, Severity]]) -> tuple[list[Alert], list[Counts]]:
    """The observations as alerts, and their counts as ingest would cut them: one range for every three."""
    maker = Bench()
    alerts = [
        maker.alert(name, Status.FIRING if fires else Status.RESOLVED, at=T0 + at * 1_000, severity=severity)
        for name, fires, at, severity in drawn
    ]
    ranges = []
    for start in range(0, len(alerts), 3):
        part = alerts[start : start + 3]
        ranges.append(counts(start, start + len(part), *((alert, 1) for alert in part), partition=start))
    return alerts, ranges


def members(bench: Bench) -> dict[str, tuple[object, ...]]:
    """What must not depend on the order."""
    return {name: (m.state, m.newest, m.newest_firing, m.first, m.count) for name, m in bench.shard.members.items()}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(OBSERVATION, min_size=1, max_size=9), st.randoms(use_true_random=False), st.data())
def test_members_are_the_same_in_any_order(
    drawn: list[tuple[str, bool, int, Severity]], random: object, data: st.DataObject
) -> None:
    # A shard learns of an alert by its first firing one; each name starts with one, so that none stays unknown.
    drawn = [("A", True, 0, Severity.CRITICAL), ("B", True, 0, Severity.CRITICAL), *drawn]
    alerts, ranges = inputs(drawn)
    straight = Bench()
    straight.take(*alerts, *ranges)
    signals: list[Signal] = [*(Transition(a, Passed.STATUS_CHANGE) for a in alerts), *ranges]
    repeated = data.draw(st.lists(st.sampled_from(signals), max_size=5))
    shuffled = data.draw(st.permutations([*signals, *repeated, *(Refresh(a) for a in alerts[:2])]))
    mixed = Bench()
    for signal in shuffled:
        mixed.take(signal)
    assert members(mixed) == members(straight)
    assert sum(i.doc.count for i in mixed.shard.incidents.values()) == len(alerts)
    for incident in mixed.shard.incidents.values():
        firing = sum(mixed.shard.members[m].state == "firing" for m in incident.members)
        assert incident.doc.firing == firing


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=12))
def test_membership_is_the_same_for_input_late_by_less_than_the_window(drawn: list[tuple[int, int]]) -> None:
    maker = Bench()
    alerts = [
        (late, maker.alert(f"N{n}", at=T0 + minute * MINUTE, arrival=T0 + (minute + late) * MINUTE, valid_for=DAY))
        for n, (minute, late) in enumerate(drawn)
    ]
    straight, mixed = Bench(), Bench()
    for _, alert in sorted(alerts, key=lambda pair: pair[1].stamp):
        straight.take(alert)
    for _, alert in sorted(alerts, key=lambda pair: (pair[1].received_at, pair[1].origin)):
        mixed.take(alert)
    assert groups(mixed) == groups(straight)
    for incident in mixed.shard.incidents.values():
        assert incident.doc.status.live == bool(incident.members)
        assert incident.doc.firing == len(incident.members)


def groups(bench: Bench) -> set[frozenset[str]]:
    """Which alerts are together."""
    return {frozenset(incident.members) for incident in bench.shard.incidents.values() if incident.members}
