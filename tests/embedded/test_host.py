"""The embedded servers start, do what the roles need of them, and leave nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient

from kernel.bus.topic_ids import UnknownTopics, topic_ids
from kernel.bus.topics import TopicSpec, topic_specs
from stormfold.embedded.servers import EmbeddedError, EmbeddedServers

pytestmark = pytest.mark.embedded

_OWNER = """
import asyncio, sys
from stormfold.embedded.servers import EmbeddedServers
from kernel.bus.topics import topic_specs

async def main():
    servers = EmbeddedServers()
    await servers.start(topic_specs("", 8, 16, 4))
    print(servers.pid, servers.redis_url.removeprefix("unix://"), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def servers() -> AsyncIterator[EmbeddedServers]:
    own = EmbeddedServers()
    await own.start(topic_specs("", 8, 16, 4))
    yield own
    await own.stop()


def _gone(pid: int) -> bool:
    # A zombie is dead, though a signal still reaches it.
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _tree(pid: int) -> list[int]:
    host = psutil.Process(pid)
    return [pid, *(child.pid for child in host.children(recursive=True))]


async def _until(condition: Callable[[], bool], deadline_s: float = 20.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, "nothing changed in time"
        await asyncio.sleep(0.01)


def _directory(servers: EmbeddedServers) -> Path:
    return Path(servers.redis_url.removeprefix("unix://")).parent


async def _client(bootstrap: str) -> Any:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    return client


async def test_topics_have_the_asked_partitions(servers: EmbeddedServers) -> None:
    await servers.create_topic("odd", 3)
    client = await _client(servers.bootstrap)
    try:
        infos = await topic_ids(client, ["alerts.raw", "answers.raw", "signals", "odd"])
    finally:
        await client.close()
    assert {name: info.partitions for name, info in infos.items()} == {
        "alerts.raw": 16,
        "answers.raw": 4,
        "signals": 8,
        "odd": 3,
    }
    with pytest.raises(EmbeddedError, match="odd"):
        await servers.create_topic("odd", 3)


async def test_owner_killed_leaves_nothing() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    line = await asyncio.to_thread(owner.stdout.readline)
    pid, socket_path = line.split()
    pids = _tree(int(pid))
    assert len(pids) == 3, "host, watchdog and Valkey"
    directory = Path(socket_path).parent
    assert directory.is_dir()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    await _until(lambda: all(map(_gone, pids)))
    await _until(lambda: not directory.exists())


async def test_host_killed_ends_valkey_and_is_noticed(servers: EmbeddedServers) -> None:
    pids = _tree(servers.pid)
    directory = _directory(servers)
    os.kill(servers.pid, signal.SIGKILL)
    sentence = await asyncio.wait_for(servers.wait_dead(), 10)
    assert "killed by signal 9" in sentence
    await _until(lambda: all(map(_gone, pids)))
    await _until(lambda: not directory.exists())
    with pytest.raises(EmbeddedError, match="gone"):
        await servers.create_topic("late", 1)


async def test_valkey_killed_ends_the_host_and_is_named(servers: EmbeddedServers) -> None:
    pids = _tree(servers.pid)
    (valkey,) = [pid for pid in pids if "valkey" in psutil.Process(pid).exe()]
    os.kill(valkey, signal.SIGKILL)
    assert "Valkey ended" in await asyncio.wait_for(servers.wait_dead(), 20)
    await _until(lambda: all(map(_gone, pids)))


async def test_stop_then_start_again(servers: EmbeddedServers) -> None:
    pids, first = _tree(servers.pid), servers.pid
    watching = asyncio.create_task(servers.wait_dead())
    await asyncio.sleep(0)
    await servers.stop()
    assert all(map(_gone, pids))
    assert await asyncio.wait_for(watching, 10) == "the embedded servers were stopped"
    await servers.stop()
    await servers.start([TopicSpec("again", 5, None, log_append_time=False)])
    assert servers.pid != first
    assert await servers.plan([TopicSpec("again", 5, None, log_append_time=False)]) == []


async def test_interrupt_of_the_terminal_does_not_reach_it(servers: EmbeddedServers) -> None:
    assert os.getpgid(servers.pid) != os.getpgid(0)
    os.kill(servers.pid, signal.SIGINT)
    await servers.create_topic("still.here", 1)


async def test_idempotent_produce_then_group_consume(servers: EmbeddedServers) -> None:
    await servers.create_topic("round", 3)
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap, enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sent = {f"{number}".encode() for number in range(300)}
        await asyncio.gather(*[producer.send_and_wait("round", value, headers=[("n", value)]) for value in sent])
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(
        "round",
        bootstrap_servers=servers.bootstrap,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        session_timeout_ms=2000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    try:
        got: list[bytes] = []
        async with asyncio.timeout(20):
            while len(got) < len(sent):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    assert all(dict(record.headers)["n"] == record.value for record in records)
                    got += [record.value for record in records]
        await consumer.commit()
        parts = [TopicPartition("round", number) for number in range(3)]
        committed = [await consumer.committed(part) for part in parts]
    finally:
        await consumer.stop()
    assert len(got) == len(sent)
    assert set(got) == sent
    assert sum(committed) == len(sent)


async def test_valkey_answers_and_keeps_no_files(servers: EmbeddedServers) -> None:
    client = redis.asyncio.Redis.from_url(servers.redis_url)
    try:
        assert await client.set("key", b"value")
        assert await client.get("key") == b"value"
        assert (await client.config_get("appendonly"))["appendonly"] == "no"
    finally:
        await client.aclose()
    files = {path.name for path in _directory(servers).iterdir()}
    assert files == {"v.sock", "valkey.log"}
    assert _directory(servers).stat().st_mode & 0o777 == 0o700


async def test_faults_on_demand(servers: EmbeddedServers) -> None:
    """Every remaining function of the C API that is used, called once."""
    await servers.create_topic("faulty", 1)
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap, enable_idempotence=True, retry_backoff_ms=20)
    await producer.start()
    try:
        await servers.command({"errors": [7, 19], "api": 0})
        await asyncio.wait_for(producer.send_and_wait("faulty", b"one"), 20)
        await servers.command({"down": True})
        sending = await producer.send("faulty", b"two")
        await servers.command({"down": False})
        await asyncio.wait_for(sending, 20)
        # One copy of each: retries are told from new records.
        assert (await asyncio.wait_for(producer.send_and_wait("faulty", b"three"), 20)).offset == 2
        before = await topic_ids(producer.client, ["faulty"])
        await servers.command({"delete": "faulty"})
        with pytest.raises(UnknownTopics, match="faulty"):
            await topic_ids(producer.client, ["faulty"])
        await servers.create_topic("faulty", 1)
        assert (await topic_ids(producer.client, ["faulty"]))["faulty"].id != before["faulty"].id
    finally:
        await producer.stop()
    with pytest.raises(EmbeddedError, match="unknown command"):
        await servers.command({"nonsense": 1})


def test_fallback_says_what_it_cannot_do() -> None:
    """Without the C API the broker still runs, and names the cure when more is asked of it."""
    script = (
        "from stormfold.embedded import broker\n"
        "def missing(path): raise AttributeError('rd_kafka_mock_topic_create')\n"
        "broker._Library = missing\n"
        "started = broker.start_broker()\n"
        "started.create_topic('four', 4)\n"
        "try: started.create_topic('eight', 8)\n"
        "except broker.BrokerError as error: print(started.bootstrap, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "rd_kafka_mock_topic_create" in done.stderr
    assert done.stdout.startswith("127.0.0.1:")
    assert "cannot have 8 partitions" in done.stdout
    assert "stormfold[embedded]" in done.stdout
