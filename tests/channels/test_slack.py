"""Slack's Web API on a real receiver in Slack's place; Slack's own models and description check what is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import orjson
import pytest
from slack_sdk.models.blocks import Block

from kernel.config.schema import Slack
from kernel.model.delivery import Action, Outcome
from notifier.channels import slack
from notifier.channels.base import Cause, Channel, ReadsBack, Text
from notifier.channels.registry import build
from notifier.channels.slack import SECTION_RUNES, escape, fit, message
from tests.channels.examples import INCIDENT, NOW, delivery, secret
from tests.servers.receiver import Answer, Receiver

TOKEN = "xoxb-nobody-may-ever-see-this"
CHANNEL = "C024BE91L"
HOSTILE = Text("<!channel> & <@U1> " + "t" * 5_000, "<&>" * 4_000, tuple("&" * 400 for _ in range(20)))


def posted(ts: str = "1763870000.000100") -> Answer:
    return Answer(status=200, body=orjson.dumps({"ok": True, "channel": CHANNEL, "ts": ts}))


def refused(error: str, status: int = 200) -> Answer:
    return Answer(status=status, body=orjson.dumps({"ok": False, "error": error}))


def channel(receiver: Receiver, http: aiohttp.ClientSession) -> Channel:
    config = Slack(token=secret(TOKEN), channel=CHANNEL, url=f"{receiver.url}/api", allow_private=True)
    return build("chat", config, http, print)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack, "SETTLES_S", 0.01)


async def test_what_only_notifies_opens_a_thread_with_buttons_too(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    receiver.default = posted()
    first = await channel(receiver, http).send(delivery(Action.UPDATE))
    await channel(receiver, http).send(_in_thread(Action.PAGE, first.remote_id))
    told, page = [request.json() for request in receiver.on("/api/chat.postMessage")]
    assert [body["blocks"][-1]["type"] for body in (told, page)] == ["actions", "actions"]
    assert "thread_ts" not in page


async def test_a_page_opens_a_thread_and_the_rest_goes_into_it(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.default = posted()
    target = channel(receiver, http)
    assert (target.idempotent, target.keyed_by_priority) == (False, False)
    page = await target.send(delivery())
    assert (page.outcome, page.remote_id) == (Outcome.SENT, f"{CHANNEL}:1763870000.000100")
    for action in (Action.UPDATE, Action.ACKNOWLEDGE, Action.RESOLVE):
        assert target.supports(action)
        assert (await target.send(_in_thread(action, page.remote_id))).outcome is Outcome.SENT
    requests = receiver.on("/api/chat.postMessage")
    bodies = [request.json() for request in requests]
    assert {request.headers["authorization"] for request in requests} == {f"Bearer {TOKEN}"}
    assert [body.get("thread_ts") for body in bodies] == [None] + ["1763870000.000100"] * 3
    assert [body.get("reply_broadcast", False) for body in bodies] == [False, False, False, True]
    buttons = bodies[0]["blocks"][-1]["elements"]
    assert [(b["action_id"], b["value"]) for b in buttons] == [
        ("ack", f"{INCIDENT}#abcdefgh"),
        ("resolve", f"{INCIDENT}#abcdefgh"),
    ]
    assert not any(block["type"] == "actions" for body in bodies[1:] for block in body["blocks"])
    assert {body["metadata"]["event_type"] for body in bodies} == {"stormfold_incident"}
    assert len({body["metadata"]["event_payload"]["delivery"] for body in bodies}) == 4


def _in_thread(action: Action, remote_id: str) -> Any:
    made = delivery(action)
    return type(made)(made.key, made.attempt, made.headline, made.text, made.sent_at_ms, remote_id)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("text", [HOSTILE, Text("", ""), Text("t", "b", ("r",))])
def test_slacks_own_models_take_what_is_sent(action: Action, text: Text, spec: Any) -> None:
    body = orjson.loads(message(delivery(action, text=text), CHANNEL, buttons=True))
    made = Block.parse_all(body["blocks"])
    assert [block.to_dict() for block in made] == body["blocks"]
    for block in made:
        block.validate_json()
    assert len(orjson.dumps(body["blocks"])) < 13_200
    known = spec("slack-web.openapi2.json")["paths"]["/chat.postMessage"]["post"]["parameters"]
    # Metadata are newer than the last published description.
    assert set(body) - {"metadata"} <= {parameter["name"] for parameter in known}
    assert "<!channel>" not in orjson.dumps(body).decode()


def test_a_cut_leaves_no_half_of_an_escaped_character() -> None:
    assert escape("<&>") == "&lt;&amp;&gt;"
    for runes in range(2, 20):
        short = fit("&" * 40, runes)
        assert len(short) <= runes
        assert short.removesuffix("…").replace("&amp;", "") == ""
    assert len(fit("<" * SECTION_RUNES, SECTION_RUNES)) <= SECTION_RUNES


@pytest.mark.parametrize(
    ("answer", "outcome", "cause", "disable"),
    [
        (refused("channel_not_found"), Outcome.FAILED, Cause.INVALID, False),
        (refused("something_new"), Outcome.FAILED, Cause.CLIENT_ERROR, False),
        (refused("invalid_auth"), Outcome.FAILED, Cause.AUTH_ERROR, True),
        (refused("ratelimited"), Outcome.RETRY, Cause.RATE_LIMITED, False),
        (Answer(status=429, headers={"Retry-After": "7"}), Outcome.RETRY, Cause.RATE_LIMITED, False),
        (Answer(status=200, body=b"<html>"), Outcome.FAILED, Cause.CLIENT_ERROR, False),
    ],
)
async def test_refusals(
    receiver: Receiver, http: aiohttp.ClientSession, answer: Answer, outcome: Outcome, cause: Cause, disable: bool
) -> None:
    receiver.default = answer
    result = await channel(receiver, http).send(delivery())
    assert (result.outcome, result.reason, result.disable) == (outcome, cause, disable)
    assert TOKEN not in repr(result)
    if answer.status == 429:
        assert result.retry_after_ms == 7_000


def _history(*deliveries: str) -> Answer:
    messages = [
        {
            "ts": f"17638700{n:02d}.000001",
            "metadata": {"event_type": "stormfold_incident", "event_payload": {"delivery": name}},
        }
        for n, name in enumerate(deliveries)
    ]
    return Answer(status=200, body=orjson.dumps({"ok": True, "messages": [{"ts": "1.0", "text": "lunch?"}, *messages]}))


@pytest.mark.parametrize("doubt", [Answer(status=500), refused("fatal_error"), Answer(close=True)])
async def test_after_a_doubt_it_looks_before_it_says_anything(
    receiver: Receiver, http: aiohttp.ClientSession, doubt: Answer
) -> None:
    page, target = delivery(), channel(receiver, http)
    receiver.answers(doubt, _history("another", page.key.delivery_id))
    found = await target.send(page)
    assert (found.outcome, found.remote_id) == (Outcome.SENT, f"{CHANNEL}:1763870001.000001")
    receiver.answers(doubt, _history("another"))
    assert (await target.send(page)).outcome is Outcome.RETRY
    receiver.answers(doubt, refused("missing_scope"))
    assert (await target.send(page)).outcome is Outcome.UNKNOWN
    assert len(receiver.on("/api/chat.postMessage")) == len(receiver.on("/api/conversations.history")) == 3


async def test_reading_back(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    target = channel(receiver, http)
    assert isinstance(target, ReadsBack)
    reply = _in_thread(Action.RESOLVE, f"{CHANNEL}:1763860000.000001")
    receiver.answers(_history(reply.key.delivery_id), _history(), refused("missing_scope"))
    found = await target.read_back(reply)
    assert found is not None
    assert found.outcome is Outcome.SENT
    (asked,) = receiver.on("/api/conversations.replies")
    assert b"ts=1763860000.000001" in asked.body
    assert await target.read_back(delivery()) is None
    unknown = await target.read_back(delivery())
    assert unknown is not None
    assert unknown.outcome is Outcome.UNKNOWN


async def test_it_looks_back_at_the_time_of_the_attempt_however_long_ago(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    target = channel(receiver, http)
    assert isinstance(target, ReadsBack)
    receiver.default = _history()
    for thread, method in (("", "history"), (f"{CHANNEL}:1763860000.000001", "replies")):
        asked_for = replace(_in_thread(Action.UPDATE, thread), sent_at_ms=NOW - 3_600_000)
        assert await target.read_back(asked_for) is None
        (asked,) = receiver.on(f"/api/conversations.{method}")
        form = parse_qs(asked.body.decode())
        assert float(form["oldest"][0]) < (NOW - 3_600_000) / 1000 < float(form["latest"][0]) < NOW / 1000
