"""What stormfold tells a vendor comes back by that vendor's own door, and is no new incident."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

import orjson

from kernel.config.proof import PagerDutyProof, RoutingKeyProof, SlackProof
from kernel.config.schema import Config, PagerDuty, RouteConfig, RuleConfig, Slack, SourceConfig, TeamConfig
from kernel.model.incident import IncidentStatus
from tests.channels.examples import secret
from tests.conftest import Broker
from tests.pipeline.harness import State, body, firing, resolved
from tests.scenarios.inprocess import House, house
from tests.servers.process import free_port
from tests.servers.receiver import Answer, Receiver

KEY = "0123456789abcdef0123456789abcdef"
SIGNING = secret("a signing secret that nobody knows")
CHANNEL, BOT, USER = "C024BE91L", "B0STORMFOLD", "U0ANN"


def config(channel: PagerDuty | Slack, sources: dict[str, SourceConfig]) -> Config:
    """One rule, one team, one channel; P2 and above page."""
    return Config(
        sources={"prometheus": SourceConfig(), **sources},
        teams={"sre": TeamConfig(page=("out",), notify=("out",))},
        rules=(RuleConfig(name="by-service", group_by=("service",)),),
        routes=(RouteConfig(team="sre"),),
        channels={"out": channel},
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def code(*parts: bytes) -> str:
    return hmac.new(SIGNING.reveal().encode(), b"".join(parts), hashlib.sha256).hexdigest()


async def page_key(h: House, incident: str) -> str:
    """The key under which PagerDuty knows the page, once it was sent."""

    def keys(state: State) -> list[str]:
        ledger = state.ledgers.get(incident)
        return [entry.remote_id for entry in ledger.ledger if entry.remote_id] if ledger else []

    return keys(await h.pipeline.until("the page was sent", lambda state: bool(keys(state))))[0]


async def own(h: House) -> list[str]:
    """The incidents beside those of the markers."""
    return [name for name, doc in (await h.pipeline.state()).incidents.items() if "Marker" not in doc.title]


async def drained(h: House) -> None:
    """Everything that was sent so far has come through: an alert of its own did."""
    name = f"Marker {now_ms()}"
    await h.post("/api/v2/alerts", body(firing(name, now_ms(), service=name)), content_type="application/json")
    await h.pipeline.until("the marker", lambda s: any(name in doc.title for doc in s.incidents.values()))


async def told(h: House, receiver: Receiver | None) -> str:
    """One critical alert becomes one incident; its id."""
    await h.post(
        "/api/v2/alerts",
        body(firing("Down", now_ms(), service="checkout", severity="critical")),
        content_type="application/json",
    )
    state = await h.pipeline.until("an incident", lambda s: len(s.incidents) == 1)
    if receiver is not None:
        await receiver.wait_count(1)
    (incident,) = state.incidents
    return incident


async def test_a_page_by_the_events_api_that_comes_back_is_one_incident(broker: Broker, valkey_url: str) -> None:
    # The channel points at stormfold's own door for PagerDuty's events: the shortest loop there is.
    port = free_port()
    channel = PagerDuty(
        routing_key=secret(KEY), url=f"http://127.0.0.1:{port}/v2/enqueue", allow_private=True, per_minute=6_000
    )
    sources = {
        "pages": SourceConfig(adapter="pagerduty", proof=RoutingKeyProof(secrets=(secret(KEY),))),
        "hooks": SourceConfig(adapter="pagerduty", proof=PagerDutyProof(secrets=(SIGNING,))),
    }
    async with house(
        broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config(channel, sources), port=port
    ) as h:
        incident = await told(h, None)
        key = await page_key(h, incident)
        assert key.startswith(f"{incident}#")
        await drained(h)
        await hook(h, "incident.triggered", key, {"type": "inbound_integration_reference", "summary": "API"})
        await hook(h, "incident.resolved", key, {"type": "inbound_integration_reference", "summary": "API"})
        await drained(h)
        assert await own(h) == [incident]
        assert (await h.pipeline.state()).incidents[incident].status is IncidentStatus.OPEN
        await hook(h, "incident.acknowledged", key, {"type": "user_reference", "summary": "Ann"})
        state = await h.pipeline.until(
            "Ann's answer", lambda s: s.incidents[incident].status is IncidentStatus.ACKNOWLEDGED
        )
        assert state.incidents[incident].answered_by == "Ann"


async def hook(h: House, kind: str, key: str, agent: dict[str, str]) -> None:
    """A webhook of PagerDuty, version 3, about the incident that our page opened there."""
    name = f"E{now_ms()}{kind}"
    event = {
        "id": name,
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "agent": agent,
        "client": None,
        "data": {
            "id": "Q1",
            "type": "incident",
            "status": kind.partition(".")[2],
            "incident_key": key,
            "title": "P2 Down on checkout",
            "service": {"id": "P1", "type": "service_reference", "summary": "stormfold"},
            "priority": None,
            "urgency": "high",
        },
    }
    raw = orjson.dumps({"event": event})
    status, answer = await h.post("/v1/sources/hooks", raw, x_pagerduty_signature=f"v1={code(raw)}", x_webhook_id=name)
    assert status == 202, answer


async def test_a_message_in_slack_that_comes_back_is_one_incident(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    receiver.default = Answer(
        status=200, body=orjson.dumps({"ok": True, "channel": CHANNEL, "ts": "1763870000.000100"})
    )
    channel = Slack(
        token=secret("xoxb-1"), channel=CHANNEL, url=f"{receiver.url}/api", allow_private=True, per_minute=6_000
    )
    settings = SourceConfig(proof=SlackProof(secrets=(SIGNING,)), channels=(CHANNEL,), own_ids=(BOT,))
    async with house(
        broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config(channel, {"slack": settings})
    ) as h:
        incident = await told(h, receiver)
        sent = receiver.on("/api/chat.postMessage")[0].json()
        # Once by its marker alone, once by its author alone.
        await event(h, {"bot_id": "B0OTHER", "text": sent["text"], "metadata": sent["metadata"], "ts": "1.1"})
        await event(h, {"bot_id": BOT, "text": sent["text"], "ts": "1.2"})
        await drained(h)
        assert await own(h) == [incident]
        await press(h, sent["blocks"][-1]["elements"][0])
        state = await h.pipeline.until(
            "the button", lambda s: s.incidents[incident].status is IncidentStatus.ACKNOWLEDGED
        )
        assert state.incidents[incident].answered_by
        # What a person writes there is a report.
        await event(h, {"user": USER, "text": "nobody can log in", "ts": "1.3"})
        await h.pipeline.until("the report", lambda s: any("log in" in doc.title for doc in s.incidents.values()))
        await h.post(
            "/api/v2/alerts",
            body(resolved("Down", now_ms(), service="checkout", severity="critical")),
            content_type="application/json",
        )
        await h.pipeline.until("its end", lambda s: s.incidents[incident].status is IncidentStatus.RESOLVED)
        ends = await receiver.wait_for(
            lambda received: any(b'"action":"resolve"' in request.body for request in received)
        )
        assert ends[-1].json()["thread_ts"] == "1763870000.000100"


async def slack(h: House, raw: bytes, kind: str) -> None:
    at = str(int(time.time()))
    status, answer = await h.post(
        "/v1/sources/slack",
        raw,
        content_type=kind,
        x_slack_request_timestamp=at,
        x_slack_signature=f"v0={code(b'v0:', at.encode(), b':', raw)}",
    )
    assert status == 200, answer


async def event(h: House, message: dict[str, Any]) -> None:
    """A message of the Events API."""
    inner = {"type": "message", "channel": CHANNEL, "channel_type": "channel", **message}
    outer = {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": f"Ev{message['ts']}",
        "event_time": int(time.time()),
    }
    await slack(h, orjson.dumps({**outer, "event": inner}), "application/json")


async def press(h: House, button: dict[str, Any]) -> None:
    """A person presses a button under a page."""
    payload = {
        "type": "block_actions",
        "user": {"id": USER, "username": "ann", "name": "ann"},
        "channel": {"id": CHANNEL},
        "trigger_id": "1.2.3",
        "actions": [{**button, "action_ts": "1763870001.1"}],
    }
    raw = urlencode({"payload": orjson.dumps(payload).decode()}).encode()
    await slack(h, raw, "application/x-www-form-urlencoded")
