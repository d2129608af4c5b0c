"""Where deliveries may go: a table of addresses, and names that lead to them."""

from __future__ import annotations

import aiohttp
import pytest

from kernel.config.schema import PagerDuty, Webhook
from kernel.model.delivery import Outcome
from notifier.channels.base import Cause
from notifier.channels.guard import RefusedTarget, refusal, resolve
from notifier.channels.registry import build
from tests.channels.examples import delivery, secret
from tests.servers.receiver import Receiver

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "224.0.0.1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("literal", PRIVATE)
def test_private_addresses_need_leave(literal: str) -> None:
    assert "allow_private" in (refusal(literal, allow_private=False) or "")
    assert refusal(literal, allow_private=True) is None


@pytest.mark.parametrize("literal", NEVER)
def test_some_addresses_are_never_receivers(literal: str) -> None:
    assert refusal(literal, allow_private=False) is not None
    assert refusal(literal, allow_private=True) is not None


@pytest.mark.parametrize("literal", PUBLIC)
def test_public_addresses_pass(literal: str) -> None:
    assert refusal(literal, allow_private=False) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]"],
)
async def test_no_spelling_of_loopback_gets_through(receiver: Receiver, http: aiohttp.ClientSession, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    target = build("ops", Webhook(url=f"http://{host}:{port}/"), http, print)
    result = await target.send(delivery())
    assert receiver.received == []
    assert (result.outcome, result.reason, result.disable) == (Outcome.FAILED, Cause.REFUSED_TARGET, False)


async def test_a_name_is_judged_by_its_addresses_and_used_with_its_own_host_header(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    port = receiver.url.rpartition(":")[2]
    target = build("ops", Webhook(url=f"http://localhost:{port}/x", allow_private=True), http, print)
    assert (await target.send(delivery())).outcome is Outcome.SENT
    assert receiver.received[0].headers["host"] == f"localhost:{port}"


async def test_a_connection_opened_with_leave_is_no_way_around_the_guard(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    allowed = build("lab", Webhook(url=f"{receiver.url}/", allow_private=True), http, print)
    guarded = build("ops", Webhook(url=f"{receiver.url}/"), http, print)
    assert (await allowed.send(delivery())).outcome is Outcome.SENT
    result = await guarded.send(delivery())
    assert (result.outcome, result.reason) == (Outcome.FAILED, Cause.REFUSED_TARGET)
    assert len(receiver.received) == 1


async def test_the_guard_stands_before_pagerduty_too(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    config = PagerDuty(routing_key=secret("0" * 32), url=f"{receiver.url}/v2/enqueue")
    result = await build("pd", config, http, print).send(delivery())
    assert result.reason is Cause.REFUSED_TARGET
    assert receiver.received == []


async def test_a_name_that_does_not_resolve_is_tried_again(http: aiohttp.ClientSession) -> None:
    target = build("ops", Webhook(url="https://nowhere.invalid/T0PSECRET"), http, print)
    result = await target.send(delivery())
    assert (result.outcome, result.disable) == (Outcome.RETRY, False)
    assert "nowhere" not in result.detail


async def test_a_host_that_is_no_name_is_terminal(http: aiohttp.ClientSession) -> None:
    target = build("ops", Webhook(url=f"https://{'a' * 70}.example/"), http, print)
    result = await target.send(delivery())
    assert result.outcome is not Outcome.SENT


async def test_resolve_says_why() -> None:
    with pytest.raises(RefusedTarget, match="allow_private"):
        await resolve("localhost", 80, allow_private=False)
    assert set(await resolve("localhost", 80, allow_private=True)) <= {"127.0.0.1", "::1"}
