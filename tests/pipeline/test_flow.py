"""From a raw alert on Kafka to one page and its resolve, on each broker."""

from __future__ import annotations

import time

from kernel.model.incident import IncidentStatus, Priority
from tests.conftest import Broker
from tests.pipeline.harness import body, firing, pipeline, resolved, simple_config
from tests.servers.receiver import Receiver


async def test_an_alert_pages_once_and_resolves_once(broker: Broker, valkey_url: str, receiver: Receiver) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        now = time.time_ns() // 1_000_000
        alert = firing("HighErrorRate", now, service="checkout", severity="critical")
        await p.send([body(alert)] * 10)
        state = await p.until("one incident with 10 alerts", lambda s: s.count == 10 and len(s.incidents) == 1)
        doc = next(iter(state.incidents.values()))
        assert (doc.status, doc.score.priority) == (IncidentStatus.OPEN, Priority.P2)
        await receiver.wait_count(1)
        await p.send([body(resolved("HighErrorRate", now, service="checkout", severity="critical"))])
        await p.until("resolved", lambda s: all(d.status is IncidentStatus.RESOLVED for d in s.incidents.values()))
        got = await receiver.wait_count(2)
        kinds = [request.json()["type"] for request in got]
        assert [kind.rsplit(".", 2)[1] for kind in kinds] == ["page", "resolve"]
