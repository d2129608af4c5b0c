"""From a topic to Kafka: the gateway confirms its subscription, takes what Amazon signed, once, and nothing else."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson
import pytest

from kernel.config.proof import SnsProof
from kernel.config.schema import Config, SourceConfig
from tests.conftest import Broker
from tests.gateway.conftest import Running, Start, start
from tests.servers.sns import Sns
from tests.sns.topic import Topic

__all__ = ["start"]

PATH = "/v1/sources/aws"
HANG_S = 30.0


async def taken(running: Running, count: int) -> list[bytes]:
    """What is in the alerts topic once there are so many records."""
    async with asyncio.timeout(HANG_S):
        while True:
            records = await running.alerts()
            if len(records) >= count:
                return [record.value for record in records]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
async def test_a_topic_is_subscribed_and_what_it_says_is_taken_once(
    broker: Broker, start: Start, localstack_sns: Sns, http: aiohttp.ClientSession
) -> None:
    topic = Topic(localstack_sns, http, "deployments")
    running = await start(broker)
    proof = SnsProof(topics=(topic.arn,))
    running.holder["config"] = Config(sources={"aws": SourceConfig(adapter="aws_deployments", proof=proof)})
    running.gateway._certificates._also = lambda url: url.startswith(f"{localstack_sns.url}/")

    await topic.subscribe(running.url + PATH)
    async with asyncio.timeout(HANG_S):
        while not await topic.confirmed():
            await asyncio.sleep(0.05)
    assert await running.alerts() == []

    await topic.publish('{"detail-type": "CodeDeploy Deployment State-change Notification"}', Subject="deployed")
    (record,) = await taken(running, 1)
    copy = orjson.loads(record)
    assert copy["Type"] == "Notification"

    status, body, _ = await running.post(PATH, record)
    assert (status, orjson.loads(body)) == (202, {"status": "accepted"})
    for changed, code in (
        ({"Message": "{}"}, 403),
        ({"Signature": ""}, 403),
        ({"TopicArn": topic.arn + "x"}, 403),
        ({"SigningCertURL": "http://127.0.0.1/x.pem"}, 403),
        ({"Type": "SubscriptionConfirmation"}, 400),
        ({"Timestamp": 7}, 400),
    ):
        status, body, _ = await running.post(PATH, orjson.dumps(copy | changed))
        assert status == code, (changed, body)
        assert orjson.loads(body)["error"]
    assert len(await running.alerts()) == 1
    assert running.metric("stormfold_door_replays_total", source="other") == 1
