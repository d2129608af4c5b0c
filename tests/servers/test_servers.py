"""The test servers do what the tests rely on."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psutil
import pytest
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.servers import valkey
from tests.servers.alertmanager import Alertmanager
from tests.servers.kafka import JavaKafka
from tests.servers.process import ServerFailed, ServerProcess, private_directory
from tests.servers.prometheus import Prometheus
from tests.servers.receiver import Answer, Receiver


async def test_store_is_set_back(store_url: str) -> None:
    client = redis.asyncio.Redis.from_url(store_url)
    try:
        await client.set("kept", b"old")
        await client.hset("hash", mapping={"a": b"\x00\xff"})
        await client.xadd("log", {"n": 1})
        await client.set("short", b"x", ex=3600)
        before = await valkey.snapshot(client)
        expires = await client.pexpiretime("short")
        await client.set("kept", b"new")
        await client.delete("hash", "short")
        await client.set("later", b"y")
        await valkey.restore(client, before)
        assert await client.get("kept") == b"old"
        assert await client.hgetall("hash") == {b"a": b"\x00\xff"}
        assert await client.xlen("log") == 1
        assert await client.pexpiretime("short") == expires
        assert not await client.exists("later")
        await client.flushdb()
        empty = await valkey.snapshot(client)
        await client.set("k", b"v")
        await valkey.restore(client, empty)
        assert await client.dbsize() == 0
    finally:
        await client.aclose()


@pytest.mark.parametrize("persistent", [False, True])
async def test_store_restarts_wiped_or_with_its_files(persistent: bool) -> None:
    with valkey.running(persistent=persistent) as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            if persistent:
                await client.config_set("appendfsync", "always")
            await client.set("k", b"v")
        server.restart()
        async with redis.asyncio.Redis.from_url(server.url) as client:
            assert await client.get("k") == (b"v" if persistent else None)
    assert not server.directory.exists()


async def test_kafka_killed_and_restarted_has_its_records(own_kafka: Callable[..., JavaKafka]) -> None:
    broker = await asyncio.to_thread(own_kafka, {"auto.create.topics.enable": "true"})
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("kept", b"before")
    await producer.stop()
    broker.kill()
    assert not broker.process.alive()
    await asyncio.to_thread(broker.restart)
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assert (await asyncio.wait_for(consumer.getone(), 30)).value == b"before"
    finally:
        await consumer.stop()


async def test_receiver_keeps_every_request_and_answers_as_told(receiver: Receiver) -> None:
    receiver.answers(503, Answer(close=True), Answer(status=202, delay_s=0.05, headers={"retry-after": "7"}))
    statuses: list[int | str] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(4):
            try:
                async with session.post(f"{receiver.url}/hook?a=1", data=b'{"n": 1}', headers={"X-Id": "one"}) as reply:
                    statuses.append(reply.status)
                    if reply.status == 202:
                        assert reply.headers["retry-after"] == "7"
            except aiohttp.ClientConnectionError:
                statuses.append("closed")
    assert statuses == [503, "closed", 202, 200]
    assert [request.json() for request in receiver.on("/hook?a=1")] == [{"n": 1}] * 4
    assert len(receiver.distinct(lambda request: request.headers["x-id"])["one"]) == 4
    with pytest.raises(TimeoutError, match="4 received"):
        await receiver.wait_count(5, deadline_s=0.05)


_RULES = """
groups:
  - name: g
    interval: 1s
    rules: [{alert: Always, expr: vector(1), labels: {severity: critical}}]
"""


async def test_prometheus_sends_to_an_alertmanager_that_pages(
    prometheus: Callable[..., Prometheus], alertmanager: Callable[..., Alertmanager], receiver: Receiver
) -> None:
    am = alertmanager(
        "route: {receiver: r, group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: r, webhook_configs: [{{url: '{receiver.url}/page'}}]}}]\n"
    )
    target = am.url.removeprefix("http://")
    config = (
        "rule_files: [rules.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}\n"
        "global: {evaluation_interval: 1s}\n"
    )
    prom = prometheus(config, arguments=["--rules.alert.resend-delay=1s"])
    prom.write(rules=_RULES)
    await asyncio.to_thread(prom.reload)
    (page, *_) = await receiver.wait_count(1)
    assert page.json()["alerts"][0]["labels"]["alertname"] == "Always"
    prom.write(rules="groups: {not a list}")
    with pytest.raises(ServerFailed, match="rror"):
        await asyncio.to_thread(prom.reload)


def test_dead_server_shows_its_log() -> None:
    process = ServerProcess("talker", ["/bin/sh", "-c", "echo the reason; exit 3"], private_directory("talker"))
    with pytest.raises(ServerFailed, match=r"talker died at start. Its log ends:\nthe reason"):
        process.wait_ready(lambda: False)


def test_server_ends_with_killed_tests() -> None:
    script = (
        "from tests.servers.process import *\n"
        "p = ServerProcess('sleeper', ['sleep', '600'], private_directory('sleeper'))\n"
        "print(p.pid, p.directory, flush=True)\n"
        "import os; os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    pid = int(done.stdout.split()[0])
    until = time.monotonic() + 20
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, "the server outlived its owner"
            time.sleep(0.01)
    directory = Path(done.stdout.split()[1])
    while directory.exists():
        assert time.monotonic() < until, "the server's files outlived its owner"
        time.sleep(0.01)
