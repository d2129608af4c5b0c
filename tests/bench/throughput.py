"""CPU an alert: repeats and distinct alerts, over Kafka and over HTTP, beside the floor and beside Alertmanager.

One round measures each once, in turn; a run whose result is not exact is an error, not a number.
"""

from __future__ import annotations

import asyncio
import shutil
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
import orjson

from kernel.model.codec import decode_signals
from kernel.model.signals import Counts, Transition
from kernel.model.state import IncidentDoc
from tests.bench import on_kafka
from tests.bench.bodies import Times, bodies, once, repeats
from tests.bench.cores import on_core, split, used
from tests.bench.deployment import Deployment, Servers, WrongRun, deployed, write_config
from tests.bench.on_http import post
from tests.bench.receiver import Webhooks, receiving
from tests.servers import alertmanager

DISTINCT = 1_000
"""Alerts that repeat; the first sight of each is outside the measurement."""
_AM_CONFIG = """\
route: {{receiver: hook, group_by: [group], group_wait: {wait}, group_interval: 5s, repeat_interval: 24h}}
receivers: [{{name: hook, webhook_configs: [{{url: '{url}', send_resolved: false}}]}}]
"""


@dataclass(frozen=True)
class Amounts:
    """How many alerts a run takes: ours over Kafka, ours over HTTP, Alertmanager's."""

    kafka: int
    http: int
    alertmanager: int


@dataclass(frozen=True)
class Shape:
    """What is measured: `repeat` or `distinct`, so many alerts a message or POST."""

    kind: str
    size: int
    counts: Amounts

    @property
    def roles(self) -> Sequence[str]:
        """Whose CPU counts over Kafka."""
        return ("ingest",) if self.kind == "repeat" else ("ingest", "correlator")

    @property
    def connections(self) -> int:
        """Keep-alive connections of a load over HTTP."""
        return 64 if self.size == 1 else 8

    def warm(self, times: Times) -> list[bytes]:
        """What comes before the measurement: every repeating alert once, or a few distinct ones."""
        return bodies(repeats(times, DISTINCT, 0, DISTINCT), self.size)

    def load(self, times: Times, count: int) -> list[bytes]:
        """What is measured."""
        if self.kind == "repeat":
            return bodies(repeats(times, DISTINCT, 1, count), self.size)
        return bodies(once(times, DISTINCT, DISTINCT + count), self.size)

    def alive(self, count: int) -> int:
        """Different alerts after warm-up and load."""
        return DISTINCT if self.kind == "repeat" else DISTINCT + count


async def kafka_run(servers: Servers, shape: Shape) -> dict[str, float]:
    """Roles take a topic that is already full; then the floor reads the same topic."""
    count, times = shape.counts.kafka, Times()
    config = write_config("group", "console")
    try:
        async with deployed(servers, config) as d:
            await d.start(shape.roles)
            warm, load = shape.warm(times), shape.load(times, count)
            topic, partitions, bootstrap = d.topics.alerts, d.raw.partitions, servers.kafka.bootstrap
            await on_kafka.fill(bootstrap, topic, partitions, warm)
            await d.until("the warm-up is taken", lambda: _taken(d, shape, len(warm), DISTINCT))
            d.freeze()
            await on_kafka.fill(bootstrap, topic, partitions, load)
            total = DISTINCT + count

            async def go() -> None:
                d.thaw()

            ours = await _measured(d, shape, go, len(warm) + len(load), shape.alive(count))
            await verify(d, shape, total)
            getmany = await on_kafka.floor(bootstrap, topic, partitions, parse=False)
            floor = await on_kafka.floor(bootstrap, topic, partitions, parse=True)
    finally:
        shutil.rmtree(config)
    return {
        "ours_us": 1e6 * ours[0] / count,
        "valkey_us": 1e6 * ours[1] / count,
        "getmany_us": 1e6 * getmany / total,
        "floor_us": 1e6 * floor / total,
    }


async def http_run(servers: Servers, shape: Shape) -> dict[str, float]:
    """The gateway's door as well, under a closed loop of POSTs."""
    count, times = shape.counts.http, Times()
    config = write_config("group", "console")
    try:
        async with deployed(servers, config) as d:
            await d.start((*shape.roles, "gateway"))
            warm, load = shape.warm(times), shape.load(times, count)
            url = f"http://127.0.0.1:{d.ports['gateway']}"
            await post(url, warm, shape.connections)
            await d.until("the warm-up is taken", lambda: _taken(d, shape, len(warm), DISTINCT))
            ours = await _measured(
                d,
                shape,
                lambda: post(url, load, shape.connections),
                len(warm) + len(load),
                shape.alive(count),
            )
            await verify(d, shape, DISTINCT + count)
    finally:
        shutil.rmtree(config)
    return {"ours_us": 1e6 * ours[0] / count, "valkey_us": 1e6 * ours[1] / count}


async def _measured(
    d: Deployment, shape: Shape, go: Callable[[], Awaitable[None]], records: int, alive: int
) -> tuple[float, float]:
    """Seconds of CPU, the roles' and Valkey's, from `go` until everything is taken."""
    before = d.used()
    await go()
    await d.until("everything is taken", lambda: _taken(d, shape, records, alive), 120.0)
    after = d.used()
    return after[0] - before[0], after[1] - before[1]


def _taken(d: Deployment, shape: Shape, records: int, alive: int) -> bool:
    """Ingest has cut every record; the correlator, where it runs, knows every alert and has told of it."""
    if d.cut() < records:
        return False
    if shape.kind == "repeat":
        return True
    return d.members() == alive and d.counted() == records and d.told() == 0


async def verify(d: Deployment, shape: Shape, total: int) -> None:
    """Every alert is counted exactly once, each went through once, and no lease ran out."""
    records = await on_kafka.read_all(d.servers.kafka.bootstrap, d.topics.signals, [d.shard])
    counted = passed = other = 0
    for record in records:
        for signal in decode_signals(record.value).signals:
            if isinstance(signal, Counts):
                counted += sum(entry.n for entry in signal.entries)
            elif isinstance(signal, Transition):
                passed += 1
            else:
                other += 1
    alive = DISTINCT if shape.kind == "repeat" else total
    if (counted, passed, other) != (total, alive, 0):
        raise WrongRun(
            f"{counted} of {total} alerts are counted, {passed} of {alive} went through, {other} went through again"
        )
    if shape.kind == "distinct":
        docs = [msgspec.json.decode(raw, type=IncidentDoc) for raw in d.incidents()]
        if (len(docs), sum(doc.count for doc in docs), sum(doc.members for doc in docs)) != (total // 2, total, total):
            raise WrongRun(f"{len(docs)} incidents of {total // 2}, or not all of their alerts")


# --- Alertmanager


async def alertmanager_run(shape: Shape) -> dict[str, float]:
    """µs of CPU an alert: Alertmanager takes the same alerts, groups them, and tells a webhook of each group once.

    `alertmanager_us` of distinct alerts is all of that, `taking_us` ends with the last POST of a run of its own in
    which no group falls due. Repeats tell nobody anything: both are one.
    """
    if shape.kind == "repeat":
        return {"alertmanager_us": await _alertmanager(shape, "1s")}
    return {"alertmanager_us": await _alertmanager(shape, "1s"), "taking_us": await _alertmanager(shape, "1h")}


async def _alertmanager(shape: Shape, group_wait: str) -> float:
    count, times, notifies = shape.counts.alertmanager, Times(), group_wait == "1s"
    async with receiving() as webhooks:
        with on_core(split()[0]):
            server = alertmanager.start(_AM_CONFIG.format(wait=group_wait, url=webhooks.url))
        try:
            await post(server.url, shape.warm(times), shape.connections)
            await _grouped(server.url, DISTINCT, DISTINCT // 2)
            if notifies:
                await _notified(webhooks, DISTINCT)
            before = used([server.process.pid])
            await post(server.url, shape.load(times, count), shape.connections)
            await _grouped(server.url, DISTINCT + count, shape.alive(count) // 2)
            if notifies:
                await _notified(webhooks, shape.alive(count))
            return 1e6 * (used([server.process.pid]) - before) / count
        finally:
            server.stop()


async def _grouped(url: str, received: int, groups: int) -> None:
    """Wait until it says that it has taken and grouped everything. Raises WrongRun."""
    for _ in range(200):
        said = await asyncio.to_thread(_metrics, url)
        if said.get("alertmanager_dispatcher_aggregation_groups") == groups:
            break
        await asyncio.sleep(0.05)
    took = said.get('alertmanager_alerts_received_total{status="firing",version="v2"}', 0.0)
    if took != received or said.get("alertmanager_dispatcher_aggregation_groups") != groups:
        raise WrongRun(f"Alertmanager took {took:.0f} alerts of {received}, or not in {groups} groups")


async def _notified(webhooks: Webhooks, alerts: int) -> None:
    """Wait until a webhook has told of every alert. Raises WrongRun."""
    told: set[str] = set()
    looked = 0
    for _ in range(600):
        for _, body in webhooks.bodies[looked:]:
            told.update(one["labels"]["pod"] for one in orjson.loads(body)["alerts"])
        looked = len(webhooks.bodies)
        if len(told) == alerts:
            return
        await asyncio.sleep(0.1)
    raise WrongRun(f"Alertmanager's webhooks told of {len(told)} alerts of {alerts}")


def _metrics(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}
