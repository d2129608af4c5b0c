"""A topic of an SNS, and what a test does with it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import aiohttp

from tests.servers.sns import Sns

REGION = "eu-central-1"
# Neither server judges who calls; both read from here which service and region is meant.
_SCOPE = f"test/20250101/{REGION}/sns/aws4_request"
AS_CALLER = {"Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0"}


class Topic:
    """A topic with subscribers over HTTP; `subscription` is the ARN of the newest."""

    def __init__(self, server: Sns, http: aiohttp.ClientSession, name: str) -> None:
        self.server = server
        self.http = http
        self.arn = f"arn:aws:sns:{REGION}:{server.account}:{name}"
        self.subscription = ""

    async def call(self, action: str, **fields: str) -> ET.Element:
        """One request of the SNS API."""
        data = {"Action": action, "Version": "2010-03-31", **fields}
        async with self.http.post(self.server.url, data=data, headers=AS_CALLER) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return ET.fromstring(text)

    async def subscribe(self, endpoint: str) -> None:
        """Make the topic and subscribe an address to it."""
        await self.call("CreateTopic", Name=self.arn.rpartition(":")[2])
        given = {"Protocol": "http", "Endpoint": endpoint, "ReturnSubscriptionArn": "true"}
        made = await self.call("Subscribe", TopicArn=self.arn, **given)
        self.subscription = next(node.text or "" for node in made.iter() if node.tag.endswith("SubscriptionArn"))

    async def confirmed(self) -> bool:
        """Whether the newest subscription is confirmed."""
        found = await self.call("GetSubscriptionAttributes", SubscriptionArn=self.subscription)
        entries = [[part.text for part in entry] for entry in found.iter() if entry.tag.endswith("entry")]
        return ["PendingConfirmation", "false"] in entries

    async def publish(self, message: str, **fields: str) -> None:
        """One message to all subscribers."""
        await self.call("Publish", TopicArn=self.arn, Message=message, **fields)
