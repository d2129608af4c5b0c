"""`stormfold shard reset`: out of a lost shard and of a topic made anew, with the roles running."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest
import redis
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kernel.bus.clients import Bus
from kernel.bus.topics import topic_specs
from kernel.model.delivery import Action
from kernel.model.incident import IncidentStatus
from kernel.model.naming import shard_of_incident
from kernel.store import scripts
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from kernel.store.scripts import Change, Verdict
from tests.cli.conftest import Shell
from tests.conftest import Broker
from tests.pipeline.harness import DEADLINE, Pipeline, Role, body, firing, pipeline, resolved, simple_config
from tests.servers.receiver import Receiver
from tests.servers.valkey import StoreServer

ROLES = ("correlator", "notifier")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def until(what: str, check: Callable[[], Awaitable[bool]]) -> None:
    """Poll, with a bound."""
    end = time.monotonic() + DEADLINE
    while not await check():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


def health(role: Role, name: str) -> tuple[bool, str]:
    check = role.context.health.ready()[1].get(name)
    return (check["ok"], check["reason"]) if check is not None else (False, "it says nothing yet")


async def healthy(role: Role, name: str) -> None:
    async def fine() -> bool:
        return health(role, name)[0]

    await until(f"{name} works again", fine)


async def committed(p: Pipeline) -> None:
    """Both groups have committed something for every shard, and ingest all of what was sent.

    Without ingest's commit a wiped store makes it read the alert anew, and the same incident come back.
    """
    bus, names, shards = Bus.of(p.settings), p.topics, p.settings.shards
    groups = (
        ("correlator", names.signals, shards),
        ("notifier", names.incidents, shards),
        ("ingest", names.alerts, p.settings.raw_partitions),
    )

    async def told(role: str, topic: str, partitions: int) -> bool:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer = await bus.start(bus.group_consumer(f"{p.settings.namespace}.{role}"))
        try:
            offsets = {place: await consumer.committed(place) for place in places}
            ends = await consumer.end_offsets(places) if role == "ingest" else offsets
        finally:
            await consumer.stop()
        return None not in offsets.values() and offsets == ends

    async def all_told() -> bool:
        return all([await told(*group) for group in groups])

    await until("the groups have committed", all_told)


def kinds(receiver: Receiver) -> list[tuple[str, str]]:
    """What each request did, and to which incident."""
    found = [request.json() for request in receiver.received]
    return [(event["type"].rsplit(".", 2)[1], event["subject"]) for event in found]


async def test_a_wiped_store_stops_both_roles_until_their_shards_are_reset(
    broker: Broker, own_valkey: StoreServer, receiver: Receiver, shell: Shell
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, own_valkey.url, broker.topics, broker.prefix, config) as p:
        notifier, correlator = await p.start("notifier"), await p.start("correlator")
        await p.start("ingest")
        await p.send([body(firing("Old", now_ms(), service="checkout", severity="critical"))])
        await receiver.wait_count(1)
        await committed(p)
        (old,) = (await p.state()).incidents
        shard = shard_of_incident(old)
        with redis.Redis.from_url(own_valkey.url) as client:
            client.flushall()

        async def stopped() -> bool:
            said = {"correlator": health(correlator, "correlator"), "notifier": health(notifier, "notifier")}
            return all(
                not ok and text.startswith("4 shards lost") and f" --role {role} --from " in text
                for role, (ok, text) in said.items()
            )

        shell.use(p)
        await until("both roles say that their shards are lost and name the way out", stopped)

        asked = await shell("shard", "reset", f"s{shard:02d}", "--role", "correlator", "--from", "committed")
        assert asked.code == 1
        assert "the shard is lost" in asked.out
        assert "0 incidents" in asked.out
        assert asked.err == "nothing was changed: there is no terminal to ask at; add --yes if this is what you want\n"
        assert not health(correlator, "correlator")[0]

        for role in ROLES:
            for number in range(p.settings.shards):
                reset = ("shard", "reset", f"s{number:02d}", "--role", role, "--from", "committed", "--yes")
                done = await shell(*reset)
                assert (done.code, done.err) == (0, "")
                assert done.out.splitlines()[-1] == f"a running {role} has taken it over"
        await healthy(correlator, "correlator")
        await healthy(notifier, "notifier")
        # What was published before and is unknown now is withdrawn: its page is taken back.
        await receiver.wait_count(2)
        await p.send([body(firing("New", now_ms(), service="checkout", severity="critical", pod="b"))])
        await receiver.wait_count(3)
        new = next(name for name, doc in (await p.state()).incidents.items() if doc.status is IncidentStatus.OPEN)
        assert new != old
        assert kinds(receiver) == [("page", old), ("resolve", old), ("page", new)]


async def test_from_the_beginning_the_same_incident_comes_back_and_pages_nobody(
    broker: Broker, valkey_url: str, receiver: Receiver, shell: Shell
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        at = now_ms()
        await p.send([body(firing("A", at, service="checkout", severity="critical"))] * 7)
        before = await p.until("7 alerts", lambda s: s.count == 7)
        await receiver.wait_count(1)
        (incident,) = before.incidents
        shard = shard_of_incident(incident)
        assert shard is not None
        keys, store = Keys(p.settings.namespace), RedisStore(valkey_url)
        shell.use(p)
        for role, chain in (
            ("correlator", keys.correlator(shard, "chain")),
            ("notifier", keys.notifier(shard, "chain")),
        ):
            held = await store.hgetall(chain)
            done = await shell("shard", "reset", f"s{shard:02d}", "--role", role, "--from", "beginning", "--yes")
            assert (done.code, done.err) == (0, "")
            assert "nothing is wrong with it from here" in done.out
            assert "1 incidents" in done.out
            taken = await store.hgetall(chain)
            assert taken[b"owner"] != held[b"owner"]
            assert int(taken[b"epoch"]) > int(held[b"epoch"]) + 1
            assert taken[b"topic"] == held[b"topic"]
        await store.close()
        after = await p.until("7 alerts again", lambda s: s.count == 7)
        assert set(after.incidents) == {incident}
        await p.send([body(resolved("A", at + 1, service="checkout", severity="critical"))])
        await receiver.wait_count(2)
        assert kinds(receiver) == [("page", incident), ("resolve", incident)]
        assert {row.attempt for row in await p.rows() if row.key.action is Action.PAGE} == {1}


@pytest.mark.real
async def test_a_topic_made_anew_is_a_loud_stop_and_its_shards_can_be_reset(
    kafka_bootstrap: str, valkey_url: str, receiver: Receiver, shell: Shell, prefix: str
) -> None:
    from kernel.bus.topics import KafkaTopics

    port = KafkaTopics(kafka_bootstrap)
    config = simple_config(receiver.url + "/hook")
    async with pipeline(kafka_bootstrap, "kafka", valkey_url, port, prefix, config, shards=1) as p:
        await p.start_all()
        await p.send([body(firing("A", now_ms(), service="checkout", severity="critical"))])
        await receiver.wait_count(1)
        await committed(p)
        for role in p.roles:
            await role.finish()
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        await admin.delete_topics([p.topics.signals])
        await admin.close()
        s = p.settings

        async def made() -> bool:
            # Kafka deletes in the background; until then the name is taken.
            await port.apply(topic_specs(prefix, s.shards, s.raw_partitions, s.answers_partitions))
            return not await port.plan(topic_specs(prefix, s.shards, s.raw_partitions, s.answers_partitions))

        await until("signals is there again", made)
        correlator = await p.start("correlator")

        async def stopped() -> bool:
            ok, text = health(correlator, "correlator")
            return not ok and "positions belong to topic ids" in text and "shard reset s00 --role correlator" in text

        await until("the correlator says that the ids changed", stopped)
        shell.use(p)
        refused = await shell("shard", "reset", "s00", "--role", "correlator", "--from", "committed", "--yes")
        assert refused.code == 1
        assert "choose --from beginning or --from end" in refused.err
        done = await shell("shard", "reset", "s00", "--role", "correlator", "--from", "beginning", "--yes")
        assert (done.code, done.err) == (0, "")
        assert "how far the correlator had come is not known" in done.out
        await healthy(correlator, "correlator")
        await p.start("notifier")
        await p.start("ingest")
        await p.send([body(firing("B", now_ms(), service="checkout", severity="critical"))])
        await receiver.wait_count(3)
        assert sorted(kind for kind, _ in kinds(receiver)) == ["page", "page", "resolve"]


@pytest.mark.parametrize("ahead", [0, 3_600_000])
async def test_a_living_owner_is_refused_from_the_reset_on(store_url: str, ahead: int) -> None:
    keys, store = Keys("t"), RedisStore(store_url)
    mine = [keys.correlator(3, part) for part in ("chain", "outbox", "members", "timers")]
    other = keys.notifier(3, "chain")
    await store.hset(other, {"epoch": "1"})
    now = now_ms()
    start = {"pos": "-1", "echo": "0"}
    epoch = int((await scripts.claim(store, mine[0], now + ahead, "a", "x+y", start))["epoch"])
    change = Change({"pos": "5", "total:x": "1"}, [(3, ["m", "1"], [])], [(4, ["1", "t"], [])], ["i", "{}"])
    assert (await scripts.turn(store, mine, epoch, "a", 1, change))[0] is Verdict.OK
    new = await scripts.reset(store, mine, now, "person", "z+y", {"pos": "41", "echo": "7"})
    assert new > epoch
    assert await store.hgetall(mine[0]) == {
        b"topic": b"z+y", b"epoch": str(new).encode(), b"owner": b"person", b"turn": b"0", b"pos": b"41", b"echo": b"7",
    }  # fmt: skip
    assert [await store.exists(key) for key in mine[1:]] == [False, False, False]
    assert await store.exists(other)
    assert (await scripts.turn(store, mine, epoch, "a", 2, change))[0] is Verdict.REFUSED
    assert not await scripts.trim(store, mine[0], mine[1], epoch, "a", ["1-1"])
    with pytest.raises(scripts.TopicChanged):
        await scripts.claim(store, mine[0], now, "b", "x+y", None)
    assert int((await scripts.claim(store, mine[0], now, "b", "z+y", None))["epoch"]) == new + 1 or ahead == 0
    await store.close()


@pytest.mark.embedded
async def test_what_cannot_be_reset_is_said(shell: Shell, valkey_url: str, embedded: object, prefix: str) -> None:
    from stormfold.embedded.servers import EmbeddedServers, HostProcess

    assert isinstance(embedded, HostProcess)
    port = EmbeddedServers(embedded)
    async with pipeline(embedded.bootstrap, "embedded", valkey_url, port, prefix, simple_config("http://x")) as p:
        shell.use(p)
        for shard, begin, code, text in (
            ("s04", "end", 1, "there is no shard s04: the deployment has s00 to s03"),
            ("s01", "committed", 1, "committed nothing for s01"),
            ("7", "end", 2, "write it as the log does"),
            ("s01", "middle", 2, "middle"),
        ):
            done = await shell("shard", "reset", shard, "--role", "correlator", "--from", begin, "--yes")
            assert (done.code, text in done.err) == (code, True), done
        # Before any role ran: the key is missing, and nobody is there to take the shard over.
        done = await shell("shard", "reset", "s01", "--role", "notifier", "--from", "end", "--yes")
        assert done.code == 0
        assert "no notifier has taken it over within 5 s" in done.out
        shell.env["STORMFOLD_REDIS"] = "redis://127.0.0.1:1/0"
        done = await shell("shard", "reset", "s01", "--role", "notifier", "--from", "end", "--yes")
        assert (done.code, done.err.startswith("Redis does not answer")) == (1, True)
        shell.env |= {"STORMFOLD_KAFKA": "127.0.0.1:1", "STORMFOLD_REDIS": valkey_url}
        done = await shell("shard", "reset", "s01", "--role", "notifier", "--from", "end", "--yes")
        assert (done.code, done.err.startswith("no Kafka broker at 127.0.0.1:1")) == (1, True)


@pytest.mark.embedded
async def test_at_a_terminal_it_asks(shell: Shell, valkey_url: str, embedded: object, prefix: str) -> None:
    from stormfold.embedded.servers import EmbeddedServers, HostProcess

    assert isinstance(embedded, HostProcess)
    port = EmbeddedServers(embedded)
    async with pipeline(embedded.bootstrap, "embedded", valkey_url, port, prefix, simple_config("http://x")) as p:
        shell.use(p)
        chain, store = Keys(p.settings.namespace).notifier(2, "chain"), RedisStore(valkey_url)
        for answer, code in ((b"n\n", 1), (b"y\n", 0)):
            got, said = await asyncio.to_thread(_at_a_terminal, answer, shell.env)
            assert got == code, said
            assert "Reset s02 of the notifier?" in said
            assert await store.exists(chain) is (code == 0)
        await store.close()


def _at_a_terminal(answer: bytes, env: dict[str, str | None]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    chosen = {**os.environ, **{name: value for name, value in env.items() if value is not None}}
    args = ("shard", "reset", "s02", "--role", "notifier", "--from", "beginning")
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [sys.executable, "-m", "stormfold", *args], stdin=theirs, capture_output=True, env=chosen, timeout=60,
            check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, (done.stdout + done.stderr).decode()
