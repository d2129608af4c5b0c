"""What ingest makes of heartbeats: which alerts and messages are some, and how often the correlator hears of them."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from ingest.counts import RangeCounter
from ingest.explain import explain
from ingest.heartbeats import Heartbeats
from ingest.judge import Judge
from ingest.partition import RawPartition
from ingest.read import Reader
from ingest.slice import Slice
from ingest.windows import Windows
from kernel.clock import rfc3339
from kernel.config.heartbeat import HeartbeatConfig
from kernel.config.schema import Config, CorrelationConfig, SourceConfig
from kernel.config.values import Duration
from kernel.model.naming import shard_of
from kernel.model.own import CANARY_SOURCE, CANARY_TENANT
from kernel.model.signals import Heartbeat
from kernel.store.client import RedisStore
from kernel.store.keys import Keys

SHARDS = 8
T0 = 1_800_000_000_000
MINUTE = 60_000
WATCHDOG = HeartbeatConfig(
    name="watchdog", source="prometheus", match=('alertname="Watchdog"',), every=Duration(4 * MINUTE)
)
ANY = HeartbeatConfig(name="tickets", source="generic", every=Duration(4 * MINUTE))


class Bench:
    """A judge that reads one raw partition; nothing is looked up, so no store is asked."""

    def __init__(self, *heartbeats: HeartbeatConfig, **changes: Any) -> None:
        self.config = Config(heartbeats=heartbeats, **changes)
        store = RedisStore("redis://127.0.0.1:1/0")
        self.windows = Windows(store, Keys("test"), lambda: self.config.correlation.lease)
        self.judge = Judge(Reader(lambda: self.config, SHARDS), self.windows, SHARDS, lambda topic: False)
        self.part = RawPartition(TopicPartition("alerts.raw", 0), "a" * 32, RangeCounter(0))
        self.offset = 0

    def take(self, body: Any, at: int = T0, source: str = "prometheus", tenant: str = "") -> Slice:
        """One record in a batch of its own."""
        self.judge.refresh()
        out = Slice()
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = [(name, text.encode()) for name, text in (("source", source), ("tenant", tenant)) if text]
        record = ConsumerRecord("alerts.raw", 0, self.offset, at, 0, None, raw, None, 0, len(raw), headers)
        assert self.judge.take(self.part, record, out)
        self.offset += 1
        return out


def beats(out: Slice) -> list[tuple[int, str, int]]:
    """(shard, name, arrival) of what the correlator is told."""
    return [
        (shard, signal.name, signal.arrival)
        for shard, signals in out.signals.items()
        for signal in signals
        if isinstance(signal, Heartbeat)
    ]


def alert(name: str, at: int = T0, until: int = 4 * MINUTE, **labels: str) -> dict[str, Any]:
    return {"labels": {"alertname": name, **labels}, "startsAt": rfc3339(T0), "endsAt": rfc3339(at + until)}


HOME = shard_of(("default",), SHARDS)


def test_an_alert_that_matches_beats_and_opens_nothing() -> None:
    b = Bench(WATCHDOG)
    out = b.take([alert("Watchdog"), alert("Down", service="shop")])
    assert beats(out) == [(HOME, "watchdog", T0)]
    assert [todo.alert.name for todo in out.todo] == ["Down"]
    assert out.tallies == {("prometheus", "heartbeat"): 1}
    assert b.part.counter.alerts == 0


def test_known_by_its_bytes_it_still_beats_once_a_tenth_of_its_time() -> None:
    b = Bench(WATCHDOG)
    heard = [beats(b.take([alert("Watchdog", T0 + n * 15_000)], T0 + n * 15_000)) for n in range(9)]
    assert [found[0][2] - T0 for found in heard if found] == [n * MINUTE // 2 for n in range(5)]
    out = b.take([alert("Watchdog", T0 + 4 * MINUTE)], T0 + 4 * MINUTE)
    (signal,) = out.signals[HOME]
    assert isinstance(signal, Heartbeat)
    assert (signal.origin.offset, signal.source, signal.tenant) == (9, "prometheus", "default")
    assert (out.todo, b.part.counter.alerts) == ([], 0)


def test_an_older_message_of_another_partition_is_no_news() -> None:
    b = Bench(WATCHDOG)
    assert beats(b.take([alert("Watchdog", T0 + MINUTE)], T0 + MINUTE))
    assert beats(b.take([alert("Watchdog", T0)], T0)) == []


def test_resolved_it_is_no_beat() -> None:
    b = Bench(WATCHDOG)
    out = b.take([alert("Watchdog", until=-1)])
    assert (beats(out), out.todo) == ([], [])
    assert out.tallies == {("prometheus", "heartbeat"): 1}
    b.take([alert("Watchdog")])
    assert beats(b.take([alert("Watchdog", T0 + MINUTE, -1)], T0 + 2 * MINUTE)) == []


def test_any_message_of_the_source_counts_where_nothing_is_matched() -> None:
    b = Bench(ANY, msgspec.structs.replace(ANY, name="prom", source="prometheus"))
    out = b.take({"name": "Ticket", "status": "firing"}, source="generic")
    assert beats(out) == [(HOME, "tickets", T0)]
    assert [todo.alert.name for todo in out.todo] == ["Ticket"]
    assert beats(b.take([], T0 + MINUTE, source="generic")) == [(HOME, "tickets", T0 + MINUTE)]
    assert beats(b.take([alert("Down")])) == [(HOME, "prom", T0)]
    assert beats(b.take([alert("Down", T0 + MINUTE)], T0 + MINUTE)) == [(HOME, "prom", T0 + MINUTE)]


def test_what_cannot_be_understood_is_no_sign_of_life() -> None:
    b = Bench(ANY)
    out = b.take(b"not json", source="generic")
    assert beats(out) == []
    assert len(out.dead) == 1


def test_where_labels_make_domains_every_shard_hears_of_it() -> None:
    b = Bench(WATCHDOG, correlation=CorrelationConfig(domain=("site",)))
    assert sorted(beats(b.take([alert("Watchdog")]))) == [(shard, "watchdog", T0) for shard in range(SHARDS)]


def test_it_belongs_to_the_tenant_of_its_source() -> None:
    b = Bench(WATCHDOG, sources={"prometheus": SourceConfig(tenant="acme")})
    out = b.take([alert("Watchdog")])
    (signal,) = out.signals[shard_of(("acme",), SHARDS)]
    assert isinstance(signal, Heartbeat)
    assert signal.tenant == "acme"


def test_what_may_not_have_been_published_is_told_again() -> None:
    b = Bench(WATCHDOG)
    assert beats(b.take([alert("Watchdog")]))
    assert not beats(b.take([alert("Watchdog")]))
    b.windows.forget()
    assert beats(b.take([alert("Watchdog")]))


def test_a_reload_makes_it_an_alert_again() -> None:
    b = Bench(WATCHDOG)
    b.take([alert("Watchdog")])
    b.config = Config()
    out = b.take([alert("Watchdog")])
    assert (beats(out), [todo.alert.name for todo in out.todo]) == ([], ["Watchdog"])


@pytest.mark.parametrize(("source", "name", "found"), [("generic", "tickets", True), ("generic", "x", False)])
def test_by_name(source: str, name: str, found: bool) -> None:
    heartbeats = Heartbeats(Config(heartbeats=(WATCHDOG, ANY)), lambda tenant: (0,))
    assert (heartbeats.named(source, name) is not None) is found
    assert heartbeats.named("prometheus", "tickets") is None


def test_what_a_payload_is_says_so() -> None:
    config = Config(heartbeats=(WATCHDOG,))
    said = explain("prometheus", orjson.dumps([alert("Watchdog")]), {}, config, T0)
    assert (said["outcome"], said["alerts"]) == ("heartbeat", [])
    assert said["reason"].startswith("the heartbeat watchdog, which opens nothing of its own")
    both = explain("prometheus", orjson.dumps([alert("Watchdog"), alert("Down")]), {}, config, T0)
    assert (both["outcome"], [one["name"] for one in both["alerts"]]) == ("alerts", ["Down"])
    assert "the heartbeat watchdog" in both["reason"]
    assert explain("prometheus", orjson.dumps([alert("Watchdog")]), {}, None, T0)["outcome"] == "alerts"


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("prometheus", [{"labels": {}, "endsAt": rfc3339(T0)}]),
        ("generic", [{"status": "firing"}, {"name": ""}]),
    ],
)
def test_what_is_refused_alert_by_alert_is_no_sign_of_life(source: str, body: Any) -> None:
    b = Bench(msgspec.structs.replace(ANY, source=source))
    out = b.take(body, source=source)
    assert len(out.dead) == 1
    assert beats(out) == []


@pytest.mark.parametrize(
    ("source", "good"), [("prometheus", alert("Down")), ("generic", {"name": "Ticket", "status": "firing"})]
)
def test_one_that_is_understood_is_a_sign_among_others_that_are_not(source: str, good: Any) -> None:
    b = Bench(msgspec.structs.replace(ANY, source=source))
    out = b.take([{"labels": {}}, good], source=source)
    assert (len(out.dead), beats(out)) == (1, [(HOME, "tickets", T0)])
    assert beats(b.take([{"labels": {}}, good], T0 + MINUTE, source=source)) == [(HOME, "tickets", T0 + MINUTE)]


async def test_an_alert_that_a_reload_makes_a_heartbeat_beats_though_its_repeats_were_held_back() -> None:
    b = Bench()
    for n in range(2):
        out = b.take([alert("Watchdog")], T0 + n)
        b.windows.look_up = nothing  # type: ignore[method-assign]
        await b.judge.settle(out)
    assert out.tallies["prometheus", "repeat"] == 1
    b.config = Config(heartbeats=(WATCHDOG,))
    for n in range(3):
        at = T0 + n * MINUTE // 2
        assert beats(b.take([alert("Watchdog", at)], at)) == [(HOME, "watchdog", at)], n


def test_changes_alone_are_a_sign_of_a_source_that_is_known_by_their_form() -> None:
    b = Bench(ANY)
    change = {"kind": "change", "name": "deploy", "id": "1"}
    assert beats(b.take(change, source="")) == [(HOME, "tickets", T0)]
    assert beats(b.take({"kind": "heartbeat", "name": "tickets"}, T0 + MINUTE, source="")) == [
        (HOME, "tickets", T0 + MINUTE)
    ]


def test_no_sender_hides_its_alerts_among_the_canaries() -> None:
    b = Bench(sources={"prometheus": SourceConfig(tenant="acme", tenant_header=True)})
    tenants = [b.take([alert("Down")], tenant=given).todo[0].alert.tenant for given in ("other", CANARY_TENANT)]
    assert tenants == ["other", "acme"]
    (todo,) = b.take({"name": "Canary", "status": "firing"}, source=CANARY_SOURCE).todo
    assert todo.alert.tenant == CANARY_TENANT


async def nothing(wanted: object) -> None:
    """No store is asked."""
