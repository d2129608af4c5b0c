"""The generic webhook on a real receiver: what it sends and what it makes of every answer."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import jsonschema_rs
import orjson
import pytest
from standardwebhooks import Webhook as Oracle
from standardwebhooks import WebhookVerificationError

from kernel.config.schema import Webhook
from kernel.model.delivery import Action, Outcome
from notifier.channels.base import Cause, Text
from notifier.channels.http import Target
from notifier.channels.registry import build
from notifier.channels.webhook import BODY_LIMIT, WebhookChannel, event, signature, signing_keys
from tests.channels.examples import NOW, delivery, secret
from tests.servers.receiver import Answer, Receiver

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(40, 72))).decode()


def channel(receiver: Receiver, http: aiohttp.ClientSession, key: str | None = None) -> WebhookChannel:
    config = Webhook(
        url=f"{receiver.url}/hook/T0PSECRET?token=T0PSECRET",
        secret=secret(key) if key else None,
        allow_private=True,
    )
    built = build("ops", config, http, print)
    assert isinstance(built, WebhookChannel)
    return built


async def test_a_page_arrives_as_a_signed_cloud_event(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    sent = delivery()
    result = await channel(receiver, http, KEY).send(sent)
    assert (result.outcome, result.reason, result.remote_id) == (Outcome.SENT, Cause.OK, sent.key.delivery_id)
    (request,) = receiver.received
    assert request.method == "POST"
    assert request.path == "/hook/T0PSECRET?token=T0PSECRET"
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["webhook-id"] == sent.key.delivery_id
    assert request.headers["webhook-timestamp"] == str(NOW // 1000)
    body = request.json()
    assert body["id"] == sent.key.delivery_id
    assert body["type"] == "io.stormfold.incident.page.v1"
    assert body["subject"] == sent.key.incident
    assert body["data"]["incident"] == sent.key.incident
    assert body["data"]["priority"] == "P1"
    assert body["data"]["reasons"] == ["checkout is tier 1"]
    assert body["data"]["truncated"] is False


def test_the_signature_is_what_an_independent_implementation_makes() -> None:
    from datetime import UTC, datetime

    body, moment = event(delivery()), NOW // 1000
    for key in (KEY, OTHER):
        made = signature(signing_keys(secret(key)), "msg_1", moment, body)
        assert made == Oracle(key).sign("msg_1", datetime.fromtimestamp(moment, UTC), body.decode())


async def test_a_receiver_with_either_key_of_a_rotation_accepts(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    import time
    from dataclasses import replace

    sent = replace(delivery(), sent_at_ms=int(time.time() * 1000))
    await channel(receiver, http, f"{KEY} {OTHER}").send(sent)
    (request,) = receiver.received
    for key in (KEY, OTHER):
        assert Oracle(key).verify(request.body, request.headers) == request.json()
    with pytest.raises(WebhookVerificationError):
        Oracle(KEY).verify(request.body + b" ", request.headers)


def test_the_published_vector(spec: Any) -> None:
    vector = spec("webhook-signature-vectors.json")["standard_webhooks_v1"]
    keys = signing_keys(secret(vector["secret"]))
    made = signature(keys, vector["webhook-id"], int(vector["webhook-timestamp"]), vector["body"].encode())
    assert made == vector["webhook-signature"]


@pytest.mark.parametrize("action", list(Action))
def test_every_action_satisfies_the_cloudevents_schema(spec: Any, action: Action) -> None:
    validator = jsonschema_rs.validator_for(spec("cloudevents-1.0.schema.json"))
    body = orjson.loads(event(delivery(action, tenant="a b/ü")))
    validator.validate(body)
    assert body["type"] == f"io.stormfold.incident.{action}.v1"
    assert body["source"] == "/stormfold/a%20b%2F%C3%BC"


async def test_id_and_body_are_the_same_on_every_attempt(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    target = channel(receiver, http)
    await target.send(delivery(attempt=1))
    await target.send(delivery(attempt=2))
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert "webhook-signature" not in first.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {f"label{i}": "v" * 900 for i in range(500)}},
        {"labels": {f"\ud800{i}": "\x01\x02\u202e" * 400 for i in range(500)}, "tenant": "\ud800" * 5000},
        {"services": tuple("ü€😀" * 300 for _ in range(900)), "summary": "😀" * 50_000},
        {
            "group": {"g" * 9_000: '"\\' * 9_000},
            "links": tuple(("t" * 5_000, "https://x/" + "y" * 5_000) for _ in "12345"),
        },
        {"answered_by": "x" * 100_000, "rule": "r" * 100_000, "team": "t" * 100_000},
    ],
)
def test_a_body_is_cut_to_size_and_stays_json(changes: dict[str, Any]) -> None:
    text = Text("t" * 300, "b\n" * 10_000, tuple("r" * 2_000 for _ in range(200)))
    raw = event(delivery(text=text, **changes))
    assert len(raw) < BODY_LIMIT
    body = orjson.loads(raw)
    assert body["data"]["truncated"] is True
    assert "…" in raw.decode()
    assert body["data"]["incident"] == delivery().key.incident


STATUSES = [
    (200, Outcome.SENT, Cause.OK, False),
    (202, Outcome.SENT, Cause.OK, False),
    (204, Outcome.SENT, Cause.OK, False),
    (301, Outcome.FAILED, Cause.CLIENT_ERROR, False),
    (307, Outcome.FAILED, Cause.CLIENT_ERROR, False),
    (400, Outcome.FAILED, Cause.CLIENT_ERROR, False),
    (401, Outcome.FAILED, Cause.AUTH_ERROR, True),
    (403, Outcome.FAILED, Cause.AUTH_ERROR, True),
    (404, Outcome.FAILED, Cause.DISABLED, True),
    (408, Outcome.RETRY, Cause.CLIENT_ERROR, False),
    (410, Outcome.FAILED, Cause.DISABLED, True),
    (429, Outcome.RETRY, Cause.RATE_LIMITED, False),
    (500, Outcome.RETRY, Cause.SERVER_ERROR, False),
    (503, Outcome.RETRY, Cause.SERVER_ERROR, False),
]


@pytest.mark.parametrize(("status", "outcome", "cause", "disable"), STATUSES)
async def test_every_class_of_status(
    receiver: Receiver, http: aiohttp.ClientSession, status: int, outcome: Outcome, cause: Cause, disable: bool
) -> None:
    receiver.answers(Answer(status=status, headers={"Location": f"{receiver.url}/elsewhere"}))
    result = await channel(receiver, http, KEY).send(delivery())
    assert (result.outcome, result.reason, result.disable) == (outcome, cause, disable)
    assert len(receiver.received) == 1, "a redirect was followed or a request repeated"
    assert "T0PSECRET" not in result.detail
    assert "127.0.0.1" not in result.detail


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (429, "7", 7_000),
        (429, "Sun, 23 Nov 2025 03:54:00 GMT", 40_000),
        (429, "Sun, 23 Nov 2025 03:00:00 GMT", 5_000),
        (429, "900000000000000000000", 300_000),
        (429, "soon", 5_000),
        (503, "3600", 300_000),
        (503, "2", 2_000),
        (502, "", 5_000),
        (500, "", 0),
        (400, "5", 0),
        (200, "5", 0),
    ],
)
async def test_retry_after_in_both_forms(
    receiver: Receiver, http: aiohttp.ClientSession, status: int, header: str, expected: int
) -> None:
    receiver.answers(Answer(status=status, headers={"Retry-After": header} if header else {}))
    result = await channel(receiver, http).send(delivery())
    assert result.retry_after_ms == expected


async def test_a_slow_receiver_is_a_time_out_and_tried_again(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answers(Answer(delay_s=5.0))
    target = Target.parse(receiver.url, allow_private=True)
    impatient = Target(target.url, True, connect_s=1.0, total_s=0.2)
    result = await WebhookChannel("ops", impatient, (), http).send(delivery())
    assert (result.outcome, result.reason) == (Outcome.RETRY, Cause.TIMEOUT)


async def test_a_connection_closed_without_an_answer(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answers(Answer(close=True))
    result = await channel(receiver, http).send(delivery())
    assert (result.outcome, result.reason) == (Outcome.RETRY, Cause.CONNECTION)
    assert len(receiver.received) == 1


async def test_nobody_listens(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    target = channel(receiver, http)
    await receiver.stop()
    result = await target.send(delivery())
    assert (result.outcome, result.reason) == (Outcome.RETRY, Cause.CONNECTION)
    assert "127.0.0.1" not in result.detail


async def test_a_huge_body_is_not_read(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    from notifier.channels.http import post

    receiver.default = Answer(status=200, body=b"x" * 8_000_000)
    target = Target.parse(receiver.url, allow_private=True)
    answer = await post(http, target, b"{}", {}, NOW)
    assert answer.status == 200
    assert len(answer.body) == 64 * 1024
    assert (await channel(receiver, http).send(delivery())).outcome is Outcome.SENT


@pytest.mark.parametrize("bad", ["plain", "whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_secret_of_another_form_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 bytes") as caught:
        signing_keys(secret(bad))
    assert bad.removeprefix("whsec_") == "" or bad not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "example.org/x", "ftp://example.org/", "http://", "https://h:99999/", "/path", "file:///etc/passwd"]
)
async def test_a_url_that_cannot_work_is_refused_when_the_channel_is_built(
    url: str, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(ValueError, match="channel ops: the url must be absolute"):
        build("ops", Webhook(url=url), http, print)


def test_reprs_show_neither_url_nor_secret() -> None:
    target = Target.parse("https://user:T0PSECRET@example.org/T0PSECRET", allow_private=False)
    assert "T0PSECRET" not in repr(target)
