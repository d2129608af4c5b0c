"""SIGKILL of each role's process in the middle of a storm: nothing is lost, nothing is counted or paged twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence

import pytest

from kernel.model.delivery import DeliveryRow, Outcome
from kernel.model.incident import IncidentStatus
from stormfold.compose import ROLES
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, State, pipeline, simple_config
from tests.scenarios import pages
from tests.scenarios.processes import RoleProcesses, configuration, role_processes
from tests.scenarios.storm import Storm
from tests.servers.receiver import Answer, Received, Receiver

SEED = int(os.environ.get("STORMFOLD_SEED", "20"))
"""Of the storm and of the moments of death; another one finds other interleavings."""
DEADLINE = 90.0
RECEIVER_TAKES = 0.5
"""Seconds a page is under way, so that the notifier's death finds some there."""


async def kill_each(roles: RoleProcesses, seconds: float) -> dict[str, float]:
    """Kill every role once, at moments of the seed, and start it again at once; returns when by the monotonic clock."""
    draw = random.Random(SEED)
    moments = sorted((draw.uniform(1.0, seconds - 2.0), role) for role in ROLES)
    began, killed = time.monotonic(), {}
    for moment, role in moments:
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        await asyncio.to_thread(roles.kill, role)
        killed[role] = time.monotonic()
        await asyncio.to_thread(roles.start, role)
    return killed


def check_pages(received: Sequence[Received], rows: Sequence[DeliveryRow], killed_at: float) -> None:
    """One delivery of each kind for each incident; a second copy only where the kill left a row without its outcome."""
    outcomes = defaultdict[tuple[str, int], set[Outcome]](set)
    for row in rows:
        outcomes[row.key.delivery_id, row.attempt].add(row.outcome)
    open_rows = defaultdict[str, int](int)
    sent = defaultdict[str, int](int)
    for (name, _), found in outcomes.items():
        open_rows[name] += found == {Outcome.ABOUT}
        sent[name] += Outcome.SENT in found
    by_id = defaultdict[str, list[Received]](list)
    for request in received:
        by_id[request.headers["webhook-id"]].append(request)
    assert by_id.keys() == sent.keys()
    assert set(sent.values()) == {1}
    for name, requests in by_id.items():
        if len(requests) > 1:
            print(f"{name} came at {[round(one.at - killed_at, 2) for one in requests]} s from the notifier's death")
            assert len(requests) == 2, (name, [request.at - killed_at for request in requests])
            assert open_rows[name] == 1, name
            first, second = requests
            assert first.at < killed_at < second.at, name
    keys = [(pages.data(same[0])["incident"], pages.kind(same[0])) for same in by_id.values()]
    assert len(keys) == len(set(keys)), "an incident was told of the same under two ids"


def by_service(state: State) -> dict[str, int]:
    counts = defaultdict[str, int](int)
    for doc in state.incidents.values():
        counts[doc.group["service"]] += doc.count
    return dict(counts)


async def all_counted(p: Pipeline, storm: Storm) -> State:
    """Every alert that Kafka has is counted, for its own service."""
    wanted = dict(await storm.on_kafka())
    state = await p.until("every alert is counted", lambda s: s.count >= sum(wanted.values()), DEADLINE)
    assert by_service(state) == wanted
    assert state.totals.get("unattributed:resolved_unknown", 0) == 0
    return state


@pytest.mark.timeout(300)
async def test_each_role_is_killed_in_a_storm(
    broker: Broker, valkey_url: str, receiver: Receiver, request: pytest.FixtureRequest
) -> None:
    receiver.default = Answer(delay_s=RECEIVER_TAKES)
    redis = request.getfixturevalue("embedded").redis_url if broker.kind == "embedded" else valkey_url
    simple = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, redis, broker.topics, broker.prefix, simple) as p:
        services = {f"s{number}": "sre" for number in range(Storm.services)}
        with role_processes(p.settings, configuration(receiver.url + "/hook", services)) as roles:
            await roles.start_all()
            storm = Storm(p, roles.url("gateway"), SEED)
            _, killed = await asyncio.gather(storm.blow(), kill_each(roles, storm.seconds))
            for role in ROLES:
                await roles.ready(role)

            state = await all_counted(p, storm)
            assert len(state.incidents) == len(by_service(state)) >= storm.services - 2
            assert {doc.status for doc in state.incidents.values()} == {IncidentStatus.OPEN}
            assert {len(doc.episodes) for doc in state.incidents.values()} == {1}
            count = len(state.incidents)
            await receiver.wait_for(lambda r: len(pages.copies(r)) >= count, DEADLINE)

            await storm.clear()
            await p.until(
                "all are over",
                lambda s: {doc.status for doc in s.incidents.values()} == {IncidentStatus.RESOLVED},
                DEADLINE,
            )
            await all_counted(p, storm)
            await receiver.wait_for(lambda r: len(pages.copies(r)) >= 2 * count, DEADLINE)
            assert await p.dead() == []
            roles.check()
            # The receiver answers before the outcome is in Kafka.
            async with asyncio.timeout(DEADLINE):
                while sum(row.outcome is Outcome.SENT for row in await p.rows()) < 2 * count:
                    await asyncio.sleep(0.2)
            check_pages(receiver.received, await p.rows(), killed["notifier"])
            assert len(pages.copies(receiver.received)) == 2 * count
            assert storm.sent >= 1_500
            assert storm.refused > 0, "the gateway's death was not noticed"
