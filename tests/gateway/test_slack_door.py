"""Slack at the door: what is answered, what goes on once, and what goes nowhere."""

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from slack_sdk.signature import SignatureVerifier

from kernel.config.proof import SlackProof
from kernel.config.schema import Config, SourceConfig
from kernel.config.values import Secret
from tests.conftest import Broker
from tests.gateway.conftest import Running, Start

EMBEDDED = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
SAMPLES = Path(__file__).parent.parent / "samples" / "slack"
PATH = "/v1/sources/slack"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SIGNING = "the secret that Slack shows once"
NEXT = "the secret that takes its place"
MESSAGE = (SAMPLES / "message.json").read_bytes()
COMMAND = (SAMPLES / "command.form").read_bytes()
PRESSED = (SAMPLES / "pressed.form").read_bytes()
ASKED = orjson.dumps(
    {
        "token": "old-token",
        "challenge": "a-word-of-Slack-7hGw2",
        "type": "url_verification",
    }
)
SETTINGS = SourceConfig(
    channels=("C0REPORT1",), proof=SlackProof(secrets=(Secret("env:S", SIGNING), Secret("env:N", NEXT)))
)


@pytest.fixture
async def running(broker: Broker, start: Start) -> Running:
    """A gateway with a source of Slack on each broker in turn."""
    made = await start(broker)
    made.holder["config"] = Config(sources={"slack": SETTINGS})
    made.context.metrics.set_sources({"slack": SETTINGS})
    return made


def signed(body: bytes, kind: str = JSON, *, secret: str = SIGNING, age: float = 0, **more: str) -> dict[str, str]:
    """The headers that Slack sends, signed by its own library `age` seconds ago."""
    at = str(int(time.time() - age))
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    assert signature is not None
    return {"content_type": kind, "x_slack_request_timestamp": at, "x_slack_signature": signature, **more}


async def answers(running: Running) -> list[Any]:
    return await running.records(running.context.topics.answers, 2)


async def published(running: Running) -> list[bytes]:
    """Every body that went on, wherever to."""
    return [record.value for record in (*await running.alerts(), *await answers(running))]


async def test_the_challenge_is_answered_and_goes_nowhere(running: Running) -> None:
    status, said, headers = await running.post(PATH, ASKED, **signed(ASKED))
    assert (status, json.loads(said)) == (200, {"challenge": json.loads(ASKED)["challenge"]})
    assert headers["content-type"] == JSON
    # A stranger learns nothing, not even that.
    assert (await running.post(PATH, ASKED, content_type=JSON))[0] == 401
    assert (await running.post(PATH, ASKED, **signed(ASKED, secret="guessed")))[0] == 403
    assert await published(running) == []


async def test_an_event_goes_on_once_however_often_it_comes(running: Running) -> None:
    given = signed(MESSAGE)
    assert (await running.post(PATH, MESSAGE, **given))[0] == 200
    for attempt in ("1", "2", "3"):
        again = {**given, "x_slack_retry_num": attempt, "x_slack_retry_reason": "http_timeout"}
        assert (await running.post(PATH, MESSAGE, **again))[0] == 200
    (record,) = await answers(running)
    assert record.value == MESSAGE
    assert ("source", b"slack") in record.headers
    assert await running.alerts() == []
    assert running.metric("stormfold_door_replays_total", source="slack") == 3
    assert running.metric("stormfold_door_requests_total", source="slack", code="200") == 4
    # The same words in another message are another message.
    other = MESSAGE.replace(b"1772439300.000200", b"1772439300.000300")
    assert other != MESSAGE
    assert (await running.post(PATH, other, **signed(other, secret=NEXT)))[0] == 200
    assert sorted(await published(running)) == sorted([MESSAGE, other])


async def test_commands_and_buttons_are_taken_as_forms(running: Running) -> None:
    for body in (COMMAND, PRESSED):
        status, said, headers = await running.post(PATH, body, **signed(body, FORM))
        assert (status, headers["content-type"]) == (200, JSON)
        # What the person who typed the command reads, and nobody else in the channel.
        assert json.loads(said)["response_type"] == "ephemeral"
    records = await answers(running)
    assert [record.value for record in records] == [COMMAND, PRESSED]
    assert {record.partition for record in records} == {records[0].partition}
    for record in records:
        assert dict(record.headers)["content-type"] == FORM.encode()
    assert await running.alerts() == []


@EMBEDDED
@pytest.mark.parametrize(("body", "kind"), [(MESSAGE, JSON), (COMMAND, FORM), (PRESSED, FORM), (ASKED, JSON)])
async def test_what_is_not_proven_goes_nowhere(running: Running, body: bytes, kind: str) -> None:
    good = signed(body, kind)
    unsigned = {name: value for name, value in good.items() if name != "x_slack_signature"}
    undated = {name: value for name, value in good.items() if name != "x_slack_request_timestamp"}
    later = str(int(good["x_slack_request_timestamp"]) + 1)
    cases: list[tuple[dict[str, str], int, str]] = [
        (unsigned, 401, "unauthorised"),
        (undated, 401, "unauthorised"),
        (signed(body, kind, secret="guessed"), 403, "signature"),
        (signed(body + b" ", kind), 403, "signature"),
        ({**good, "x_slack_signature": good["x_slack_signature"].replace("v0=", "v1=")}, 403, "signature"),
        ({**good, "x_slack_signature": "v0="}, 403, "signature"),
        ({**good, "x_slack_request_timestamp": later}, 403, "signature"),
        (signed(body, kind, age=310), 403, "stale"),
        (signed(body, kind, age=-310), 403, "stale"),
    ]
    counted: dict[str, int] = {}
    for given, status, reason in cases:
        found, said, headers = await running.post(PATH, body, **given)
        assert found == status, (reason, said)
        sentence = json.loads(said)["error"]
        assert SIGNING not in sentence
        assert good["x_slack_signature"] not in sentence
        assert ("www-authenticate" in headers) is (status == 401)
        counted[reason] = counted.get(reason, 0) + 1
    for reason, count in counted.items():
        assert running.metric("stormfold_door_refused_total", source="slack", reason=reason) == count
    assert await published(running) == []
    # None of that spoiled the real one.
    assert (await running.post(PATH, body, **good))[0] == 200
