"""PagerDuty's Events API v2 as a drop-in: its answers, its rules, and what goes where."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import orjson
import pagerduty
import pytest

from tests.gateway.conftest import ROUTING_KEY, Running
from tests.servers.tls import tls_in_front

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

SEVERITY = "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
ACTION = "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"


def event(**changes: Any) -> dict[str, Any]:
    """A trigger with everything that it must have; None takes a field out."""
    whole = {
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": "db-1/disk",
        "payload": {"summary": "disk full", "source": "db-1", "severity": "critical"},
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def payload(**changes: Any) -> dict[str, Any]:
    """The payload of a trigger, changed."""
    whole = {"summary": "disk full", "source": "db-1", "severity": "critical"}
    return {name: value for name, value in (whole | changes).items() if value is not None}


async def post(running: Running, body: Any, path: str = "/v2/enqueue") -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    status, answer, _ = await running.post(path, data, content_type="application/json")
    return status, json.loads(answer)


async def test_what_goes_where_and_without_the_key(running: Running) -> None:
    trigger = b'{"routing_key":"%s","event_action":"trigger","dedup_key":"k","payload":' % ROUTING_KEY.encode()
    detail = b'{"summary":"s","source":"h","severity":"info","custom_details":{"n":12345678901234567890123,"x":1.10}}'
    assert await post(running, trigger + detail + b"}") == (
        202,
        {"status": "success", "message": "Event processed", "dedup_key": "k"},
    )
    for action in ("acknowledge", "resolve"):
        status, said = await post(running, event(event_action=action, dedup_key="k", payload=None))
        assert (status, said["dedup_key"]) == (202, "k")
    assert await post(running, event(dedup_key=None, event_action=None), "/v2/change/enqueue") == (
        202,
        {"status": "success", "message": "Change event processed"},
    )
    alerts = await running.alerts()
    answers = await running.records(running.context.topics.answers, 2)
    # Not a digit of the payload is lost, and nothing has the key.
    assert b'{"event_action":"trigger","dedup_key":"k","payload":' + detail + b"}" in [r.value for r in alerts]
    actions = sorted(str(json.loads(record.value).get("event_action")) for record in alerts)
    assert actions == ["None", "resolve", "trigger"]
    assert [json.loads(record.value) for record in answers] == [{"event_action": "acknowledge", "dedup_key": "k"}]
    everything = b"".join(record.value for record in (*alerts, *answers))
    assert ROUTING_KEY.encode() not in everything
    assert {tuple(record.headers) for record in (*alerts, *answers)} == {(("source", b"pages"),)}
    assert running.metric("stormfold_door_requests_total", source="pages", code="202") == 4


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (event(routing_key=None), ["'routing_key' is missing or blank"]),
        (event(routing_key="short"), ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
        (event(routing_key="-" * 32), ["'routing_key' cannot contain non-alphanumeric characters."]),
        (event(routing_key="0" * 32), ["Invalid routing key"]),
        (event(routing_key=7), ["'routing_key' must be a string"]),
        (event(event_action=None), ["'event_action' is missing or blank"]),
        (event(event_action="snooze"), [ACTION]),
        (event(event_action="resolve", dedup_key=None), ["'dedup_key' is missing or blank"]),
        (event(event_action="acknowledge", dedup_key=" "), ["'dedup_key' is missing or blank"]),
        (event(dedup_key="k" * 256), ["'dedup_key' is too long (maximum is 255 characters)"]),
        (event(dedup_key=5), ["'dedup_key' must be a string"]),
        (event(payload=None), ["'payload' is missing or blank"]),
        (event(payload=[]), ["'payload' must be an object"]),
        (event(payload=payload(summary="")), ["'payload.summary' is missing or blank"]),
        (event(payload=payload(summary="s" * 1025)), ["'payload.summary' is too long (maximum is 1024 characters)"]),
        (event(payload=payload(source=None)), ["'payload.source' is missing or blank"]),
        (event(payload=payload(severity="fatal")), [SEVERITY]),
        (
            event(payload=payload(timestamp="2021-10-22 5:01:32")),
            ["'payload.timestamp' is invalid (must be a timestamp of ISO 8601)"],
        ),
        (
            event(payload={"severity": "bad"}),
            ["'payload.summary' is missing or blank", "'payload.source' is missing or blank", SEVERITY],
        ),
    ],
)
async def test_what_is_refused_as_the_vendor_refuses_it(running: Running, body: Any, errors: list[str]) -> None:
    status, said = await post(running, body)
    assert (status, said) == (
        400,
        {"status": "invalid event", "message": "Event object is invalid", "errors": errors},
    )
    assert await running.alerts() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"", 400),
        (b"\xff", 400),
        (orjson.dumps(event())[:-1] + b',"deep":' + b"[" * 1_000 + b"]" * 1_000 + b"}", 400),
        (orjson.dumps(event(payload=payload(custom_details={"x": "y" * 530_000}))), 413),
    ],
)
async def test_no_event_at_all(running: Running, body: bytes, status: int) -> None:
    got, said = await post(running, body)
    assert got == status
    assert set(said) == {"status", "message", "errors"}
    assert await running.alerts() == []


@pytest.mark.parametrize(
    "when",
    [
        "2015-07-17T08:42:58.315+0000",
        "2011-05-06T03:30-07",
        "2025-01-02T03:04:05Z",
        "2025-01-02T03:04:05.678901+00:00Z",
        "",
        None,
    ],
)
async def test_times_that_the_vendor_takes(running: Running, when: str | None) -> None:
    assert (await post(running, event(payload=payload(timestamp=when))))[0] == 202


async def test_other_methods_are_told_which(running: Running) -> None:
    async with running.http.get(running.url + "/v2/enqueue") as answer:
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_a_source_of_routing_keys_has_no_door_of_its_own(running: Running) -> None:
    status, answer, _ = await running.post("/v1/sources/pages", orjson.dumps(event()))
    assert status == 403
    assert b"/v2/enqueue" in answer
    assert ROUTING_KEY.encode() not in answer
    assert await running.alerts() == []


async def test_the_official_client(running: Running, tmp_path: Path) -> None:
    def use(url: str, trust: ssl.SSLContext) -> str:
        with pagerduty.EventsApiV2Client(ROUTING_KEY, base_url=url, verify=trust) as client:
            given = client.trigger("disk full", "db-1", severity="warning")
            assert client.trigger("disk full", "db-1", dedup_key="mine") == "mine"
            assert client.acknowledge("mine") == "mine"
            assert client.resolve("mine") == "mine"
            client.submit("deployed 1.2", source="ci", timestamp="2025-01-02T03:04:05+00:00Z")
        stranger = pagerduty.EventsApiV2Client("0" * 32, base_url=url, verify=trust)
        with stranger, pytest.raises(pagerduty.Error, match="400"):
            stranger.trigger("disk full", "db-1")
        return given

    # The client takes https only, and the gateway stands behind whoever terminates TLS.
    async with tls_in_front(running.host, running.port, tmp_path) as (url, trust):
        given = await asyncio.to_thread(use, url, trust)
    assert len(given) == 32
    bodies = [json.loads(record.value) for record in await running.alerts()]
    assert sorted(body.get("dedup_key", "") for body in bodies) == sorted([given, "mine", "mine", ""])
    answers = await running.records(running.context.topics.answers, 2)
    assert [json.loads(record.value)["event_action"] for record in answers] == ["acknowledge"]
