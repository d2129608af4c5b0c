"""PagerDuty Events v2 on a real receiver in PagerDuty's place."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema_rs
import orjson
import pytest

from kernel.config.schema import PagerDuty
from kernel.model.delivery import Action, LedgerKey, Outcome
from kernel.model.incident import Priority
from notifier.channels.base import Cause, Channel, Text
from notifier.channels.pagerduty import BODY_LIMIT, dedup_key, event
from notifier.channels.registry import build
from tests.channels.examples import delivery, secret
from tests.servers.receiver import Answer, Receiver

ROUTING_KEY = "R0utingKeyThatNobodyMayEverSee01"
ACCEPTED = b'{"status":"success","message":"Event processed","dedup_key":"x"}'


def channel(receiver: Receiver, http: aiohttp.ClientSession) -> Channel:
    config = PagerDuty(routing_key=secret(ROUTING_KEY), url=f"{receiver.url}/v2/enqueue", allow_private=True)
    return build("pd", config, http, print)


async def test_trigger_acknowledge_resolve(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.default = Answer(status=202, body=ACCEPTED)
    target = channel(receiver, http)
    assert (target.idempotent, target.keyed_by_priority) == (True, True)
    for action in (Action.PAGE, Action.UPDATE, Action.ACKNOWLEDGE, Action.RESOLVE):
        assert target.supports(action)
        sent = delivery(action)
        result = await target.send(sent)
        assert (result.outcome, result.remote_id) == (Outcome.SENT, dedup_key(sent.key))
    bodies = [request.json() for request in receiver.on("/v2/enqueue")]
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in bodies} == {"s07-abcdefghijklmnop#abcdefgh#P1"}
    assert {body["routing_key"] for body in bodies} == {ROUTING_KEY}
    page = bodies[0]
    assert page["client"] == "stormfold"
    assert page["payload"]["severity"] == "critical"
    assert page["payload"]["source"] == "checkout"
    assert page["payload"]["custom_details"]["reasons"] == ["checkout is tier 1"]
    assert page["links"] == [{"href": "https://grafana.example.org/d/1", "text": "dashboard"}]


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("priority", list(Priority))
def test_bodies_satisfy_the_documented_limits(spec: Any, action: Action, priority: Priority) -> None:
    limits = spec("derived-limits.schema.json")
    validator = jsonschema_rs.validator_for({"$defs": limits["$defs"], "$ref": "#/$defs/pagerduty_event"})
    hostile: dict[str, Any] = {
        "reached": priority,
        "title": "",
        "services": ("", "s" * 5_000),
        "sources": (),
        "rule": "r" * 5_000,
        "group": {"a": "\x1b[2J" * 500},
        "links": (("bad", "javascript:alert(1)"), ("ok", "https://example.org/")),
    }
    for text in (Text("t" * 5_000, "b" * 5_000), Text("", "")):
        validator.validate(orjson.loads(event(delivery(action, text=text, **hostile), ROUTING_KEY)))
        validator.validate(orjson.loads(event(delivery(action, text=text, reached=priority), ROUTING_KEY)))


def test_severity_follows_the_key_and_the_dedup_key_the_priority() -> None:
    wanted = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info"}
    for priority in Priority:
        body = orjson.loads(event(delivery(reached=priority), ROUTING_KEY))
        assert body["payload"]["severity"] == wanted[priority]
        assert body["dedup_key"].endswith(f"#{priority}")


def test_a_body_that_is_too_long_loses_its_details_then_its_links() -> None:
    labels = {f"l{i}": "v" * 1_000 for i in range(1_000)}
    body = orjson.loads(raw := event(delivery(labels=labels), ROUTING_KEY))
    assert len(raw) <= BODY_LIMIT
    assert body["payload"]["custom_details"]["note"].startswith("the details were too long")
    assert body["links"]
    links = tuple(("t", "https://example.org/" + "x" * 10_000) for _ in range(100))
    body = orjson.loads(raw := event(delivery(labels=labels, links=links), ROUTING_KEY))
    assert len(raw) <= BODY_LIMIT
    assert "links" not in body
    assert body["payload"]["summary"]


@pytest.mark.parametrize(
    ("status", "outcome", "cause"),
    [
        (200, Outcome.SENT, Cause.OK),
        (202, Outcome.SENT, Cause.OK),
        (301, Outcome.FAILED, Cause.CLIENT_ERROR),
        (400, Outcome.FAILED, Cause.INVALID),
        (401, Outcome.FAILED, Cause.AUTH_ERROR),
        (402, Outcome.FAILED, Cause.AUTH_ERROR),
        (403, Outcome.FAILED, Cause.AUTH_ERROR),
        (404, Outcome.FAILED, Cause.CLIENT_ERROR),
        (429, Outcome.RETRY, Cause.RATE_LIMITED),
        (500, Outcome.RETRY, Cause.SERVER_ERROR),
        (503, Outcome.RETRY, Cause.SERVER_ERROR),
    ],
)
async def test_every_class_of_status(
    receiver: Receiver, http: aiohttp.ClientSession, status: int, outcome: Outcome, cause: Cause
) -> None:
    said = {"message": f"bad key {ROUTING_KEY}", "errors": ["see https://x.example/T0P", 7, None]}
    receiver.answers(Answer(status=status, body=orjson.dumps(said)))
    result = await channel(receiver, http).send(delivery())
    assert (result.outcome, result.reason, result.disable) == (outcome, cause, False)
    assert ROUTING_KEY not in result.detail
    assert "://" not in result.detail
    if outcome is not Outcome.SENT:
        assert "bad key <secret>" in result.detail


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b'{"message": 5}', b"x" * 300_000])
async def test_an_answer_in_another_form_does_no_harm(
    receiver: Receiver, http: aiohttp.ClientSession, body: bytes
) -> None:
    receiver.answers(Answer(status=400, body=body))
    result = await channel(receiver, http).send(delivery())
    assert (result.outcome, result.detail) == (Outcome.FAILED, "HTTP 400")


async def test_a_429_without_a_header_backs_off_by_itself(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answers(429, Answer(status=429, headers={"Retry-After": "60"}))
    target = channel(receiver, http)
    assert (await target.send(delivery())).retry_after_ms == 30_000
    assert (await target.send(delivery())).retry_after_ms == 60_000


async def test_a_closed_connection_is_safe_to_repeat(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answers(Answer(close=True))
    result = await channel(receiver, http).send(delivery())
    assert (result.outcome, result.reason) == (Outcome.RETRY, Cause.CONNECTION)


async def test_a_dedup_key_beyond_the_limit_is_never_cut(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    result = await channel(receiver, http).send(delivery(id="i" * 300))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Cause.INVALID)
    assert receiver.received == []
    assert len(dedup_key(LedgerKey("s07-" + "a" * 16, "e" * 8, Action.PAGE, Priority.P1, 0, "pd"))) < 40
