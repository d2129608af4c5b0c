"""Messages that others sign as Amazon does are proven, and only as they were signed."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest

from ingest.origin.base import NotProven, Proven, Request
from ingest.origin.certificates import Certificates, NotConfirmed
from ingest.origin.sns import Sns as Prover
from kernel.clock import SystemClock
from tests.servers.receiver import Received, Receiver
from tests.servers.sns import Sns
from tests.sns.topic import AS_CALLER, REGION, Topic

HOUR_MS = 3_600_000


def request(received: Received, body: bytes | None = None) -> Request:
    headers = {name: value.encode() for name, value in received.headers.items()}
    return Request(received.method, received.path, b"", headers, received.body if body is None else body)


async def proven(prover: Prover, received: Received, body: bytes | None = None) -> Proven:
    return await prover.check(request(received, body), SystemClock().now_ms())


async def refusal(prover: Prover, received: Received, **changes: Any) -> str:
    """The reason that a message is refused for after a change of its fields."""
    with pytest.raises(NotProven) as caught:
        await proven(prover, received, orjson.dumps(received.json() | changes))
    return caught.value.reason


async def test_localstack_confirmation_both_versions_and_the_end(
    localstack_sns: Sns, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    topic = Topic(localstack_sns, http, "alarms")
    certificates = Certificates(also=lambda url: url.startswith(f"{localstack_sns.url}/"))
    prover = Prover("aws", [topic.arn], HOUR_MS, certificates)
    await topic.subscribe(f"{receiver.url}/v1/sources/aws")
    try:
        await receiver.wait_count(1)
        confirmation = receiver.received[0]
        assert confirmation.json()["Type"] == "SubscriptionConfirmation"
        known = await proven(prover, confirmation)
        assert known.replay == confirmation.headers["x-amz-sns-message-id"]
        assert await refusal(prover, confirmation, Token="0") == "signature"
        await certificates.confirm(confirmation.json()["SubscribeURL"])

        for version, count in (("1", 2), ("2", 3)):
            attribute = {"AttributeName": "SignatureVersion", "AttributeValue": version}
            await topic.call("SetTopicAttributes", TopicArn=topic.arn, **attribute)
            await topic.publish('{"AlarmName": "caf\u00e9 \u2603"}\n', Subject=f'ALARM: "v{version}"')
            await receiver.wait_count(count)
            notice = receiver.received[-1]
            assert notice.json()["SignatureVersion"] == version
            assert "Subject" in notice.json()
            await proven(prover, notice)
            assert await refusal(prover, notice, Subject="ALARM") == "signature"
            assert await refusal(prover, notice, Message="{}") == "signature"
            assert await refusal(prover, notice, SignatureVersion="12".replace(version, "")) == "signature"

        await topic.publish("without a subject")
        await receiver.wait_count(4)
        await proven(prover, receiver.received[-1])

        await topic.call("Unsubscribe", SubscriptionArn=topic.subscription)
        await receiver.wait_count(5)
        assert receiver.received[-1].json()["Type"] == "UnsubscribeConfirmation"
        await proven(prover, receiver.received[-1])
    finally:
        await certificates.close()


async def test_without_the_tests_rule_localstack_is_not_amazon(
    localstack_sns: Sns, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    topic = Topic(localstack_sns, http, "others")
    certificates = Certificates()
    await topic.subscribe(f"{receiver.url}/v1/sources/aws")
    await receiver.wait_count(1)
    assert await refusal(Prover("aws", [topic.arn], HOUR_MS, certificates), receiver.received[0]) == "certificate"
    with pytest.raises(NotConfirmed, match="not an address of SNS"):
        await certificates.confirm(receiver.received[0].json()["SubscribeURL"])
    elsewhere = Prover("aws", [topic.arn + "x"], HOUR_MS, certificates)
    assert await refusal(elsewhere, receiver.received[0]) == "topic"
    await certificates.close()


async def test_moto_by_the_rule_as_it_is(moto_sns: Sns, receiver: Receiver, http: aiohttp.ClientSession) -> None:
    """moto names Amazon's own address for its certificate, and serves that at its own."""
    topic = Topic(moto_sns, http, "alarms")
    asked: list[str] = []

    async def ask(url: str) -> tuple[int, bytes]:
        asked.append(url)
        path = url.removeprefix("https://").partition("/")[2]
        async with http.get(f"{moto_sns.url}/{path}", headers=AS_CALLER) as answer:
            return answer.status, await answer.read()

    prover = Prover("aws", [topic.arn], HOUR_MS, Certificates(ask=ask))
    await topic.subscribe(f"{receiver.url}/v1/sources/aws")
    await topic.publish('{"AlarmName": "caf\u00e9"}')
    await receiver.wait_count(1)
    (notice,) = receiver.received
    assert (await proven(prover, notice)).replay == notice.json()["MessageId"]
    assert await refusal(prover, notice, Message="{}") == "signature"
    assert len(asked) == 1
    assert asked[0].startswith(f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-")
