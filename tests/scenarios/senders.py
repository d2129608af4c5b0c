"""What tickets, chat, paging systems and GitHub send, by their own doors, signed as the example configuration says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
import yaml

import stormfold
from kernel.clock import rfc3339
from tests.scenarios.inprocess import House

EXAMPLE: Final = Path(stormfold.__file__).parent / "example_config"
ENVIRON: Final = {
    "PAGERDUTY_WEBHOOK_SECRET": "what PagerDuty signs with",
    "OPSGENIE_WEBHOOK_SECRET": "what-Opsgenie-shows",
    "ZENDESK_SIGNING_SECRET": "what Zendesk signs with",
    "SLACK_SIGNING_SECRET": "what Slack signs with",
    "GITHUB_SECRET": "what GitHub signs with",
    "PAGERDUTY_ROUTING_KEY": "9b2f7c41d05e4a86a3c1e8f0b6d47a95",
    "OPSGENIE_API_KEY": "6f1e0a52-8c3d-4b97-9e24-d0a7b1c5f386",
}
"""The secrets that the example configuration's comment names."""

CHANNEL: Final = "C024BE91L"
"""The channel whose messages are reports in the example configuration."""
_TEAM, _APP, _USER = "T0SHOP001", "A0STORM01", "U0MIRA001"


def with_proofs(directory: Path) -> Path:
    """A copy of the example configuration in which the sources of its comment stand in place of the open ones."""
    made = directory / "config"
    shutil.copytree(EXAMPLE, made)
    text = (made / "sources.yaml").read_text(encoding="utf-8")
    comment = [line.removeprefix("#").removeprefix(" ") for line in text.partition("\n# sources:\n")[2].splitlines()]
    sources = yaml.safe_load(text)["sources"] | yaml.safe_load("\n".join(["sources:", *comment]))["sources"]
    (made / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    return made


@dataclass(frozen=True)
class Told:
    """A request to the gateway."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def posted(source: str, body: bytes, **headers: str) -> Told:
    """A request to a source's own door."""
    return Told(f"/v1/sources/{source}", body, {"content-type": "application/json", **headers})


async def post(h: House, told: Told) -> None:
    """A request that the gateway takes."""
    status, answer = await h.post(told.path, told.body, **told.headers)
    assert status in (200, 202), (told.path, answer)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def code(secret: str, *parts: bytes) -> bytes:
    """The HMAC by SHA-256 under one of the secrets."""
    return hmac.new(ENVIRON[secret].encode(), b"".join(parts), hashlib.sha256).digest()


# --- tickets


def zendesk(ticket: int, subject: str, priority: str, at: int, over: bool = False, *tags: str) -> Told:
    """A ticket event: `ticket.created`, or its end."""
    detail = {
        "id": str(ticket),
        "subject": subject,
        "description": f"{subject}. It worked this morning.",
        "status": "SOLVED" if over else "NEW",
        "priority": priority,
        "type": "INCIDENT",
        "tags": list(tags),
        "via": {"channel": "web"},
        "created_at": rfc3339(at - at % 1_000),
        "updated_at": rfc3339(at - at % 1_000),
    }
    event = {
        "id": f"{ticket}-{at}",
        "type": f"zen:event-type:ticket.{'status_changed' if over else 'created'}",
        "account_id": 4400123,
        "time": rfc3339(at),
        "subject": f"zen:ticket:{ticket}",
        "zendesk_event_version": "2022-11-06",
        "event": {"current": "SOLVED", "previous": "OPEN"} if over else {},
        "detail": detail,
    }
    body, signed_at = orjson.dumps(event), rfc3339(at)
    signature = base64.b64encode(code("ZENDESK_SIGNING_SECRET", signed_at.encode(), body)).decode()
    headers = {"x-zendesk-webhook-signature": signature, "x-zendesk-webhook-signature-timestamp": signed_at}
    return posted("zendesk", body, **headers)


# --- chat


def _slack(body: bytes, kind: str) -> Told:
    at = str(int(time.time()))
    signature = "v0=" + code("SLACK_SIGNING_SECRET", b"v0:", at.encode(), b":", body).hex()
    return Told(
        "/v1/sources/slack",
        body,
        {"content-type": kind, "x-slack-request-timestamp": at, "x-slack-signature": signature},
    )


def _slack_form(fields: dict[str, str]) -> Told:
    return _slack(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def slack_message(text: str, at: int, channel: str = CHANNEL) -> Told:
    """A message of a person in a channel that the app is in."""
    ts = f"{at // 1_000}.{at % 1_000:03d}100"
    event = {
        "type": "message",
        "user": _USER,
        "text": text,
        "ts": ts,
        "event_ts": ts,
        "channel": channel,
        "channel_type": "channel",
    }
    outer = {
        "type": "event_callback",
        "team_id": _TEAM,
        "api_app_id": _APP,
        "event_id": f"Ev{at}",
        "event_time": at // 1_000,
        "authorizations": [{"team_id": _TEAM, "user_id": "U0STORM01", "is_bot": True}],
        "event": event,
    }
    return _slack(orjson.dumps(outer), "application/json")


def slack_command(text: str, at: int) -> Told:
    """`/incident` with this text behind it, in another channel."""
    return _slack_form(
        {
            "command": "/incident",
            "text": text,
            "trigger_id": f"{at}.738474920.8088930838",
            "team_id": _TEAM,
            "channel_id": "C0GENERAL",
            "channel_name": "general",
            "user_id": _USER,
            "user_name": "mira",
            "api_app_id": _APP,
        }
    )


def slack_button(action: str, value: str, at: int) -> Told:
    """A person presses a button under a page of stormfold's: `ack` or `resolve`."""
    payload = {
        "type": "block_actions",
        "user": {"id": _USER, "username": "mira", "name": "mira", "team_id": _TEAM},
        "api_app_id": _APP,
        "trigger_id": f"{at}.333649436676.d8c1bb83",
        "channel": {"id": "C0PAGES01", "name": "pages"},
        "actions": [
            {"type": "button", "action_id": action, "value": value, "action_ts": f"{at // 1_000}.{at % 1_000:03d}"}
        ],
    }
    return _slack_form({"payload": orjson.dumps(payload).decode()})


# --- paging


def pagerduty_webhook(incident: str, title: str, priority: str | None, at: int, over: bool = False) -> Told:
    """Webhook v3 of an incident that somebody else opened at PagerDuty."""
    kind = "resolved" if over else "triggered"
    data = {
        "id": incident,
        "type": "incident",
        "html_url": f"https://shop.pagerduty.example/incidents/{incident}",
        "number": 41,
        "status": kind,
        "incident_key": f"probe/{incident}",
        "created_at": rfc3339(at),
        "title": title,
        "service": {"id": "PS1", "type": "service_reference", "summary": "Everything"},
        "teams": [],
        "priority": {"id": "PP1", "type": "priority_reference", "summary": priority} if priority else None,
        "urgency": "high",
    }
    event = {
        "id": f"01{at}",
        "event_type": f"incident.{kind}",
        "resource_type": "incident",
        "occurred_at": rfc3339(at),
        "agent": {"id": "PI1", "type": "inbound_integration_reference", "summary": "Probe"},
        "client": None,
        "data": data,
    }
    body = orjson.dumps({"event": event})
    signature = "v1=" + code("PAGERDUTY_WEBHOOK_SECRET", body).hex()
    return posted("pagerduty", body, **{"x-pagerduty-signature": signature, "x-webhook-id": f"{incident}-{at}"})


def pagerduty_event(key: str, summary: str, severity: str, at: int, over: bool = False) -> Told:
    """Events API v2: a trigger, or the resolve of the same key."""
    event: dict[str, Any] = {
        "routing_key": ENVIRON["PAGERDUTY_ROUTING_KEY"],
        "event_action": "resolve" if over else "trigger",
        "dedup_key": key,
    }
    if not over:
        event["payload"] = {
            "summary": summary,
            "source": "audit-1",
            "severity": severity,
            "timestamp": rfc3339(at),
            "custom_details": {"job": "audit"},
        }
    return Told("/v2/enqueue", orjson.dumps(event), {"content-type": "application/json"})


def opsgenie_webhook(
    alias: str, message: str, priority: str, details: dict[str, str], at: int, over: bool = False
) -> Told:
    """The webhook of an alert that was created, or closed."""
    alert = {
        "alertId": f"11111111-aaaa-4000-8000-000000000001-{at}",
        "alias": alias,
        "tinyId": "7",
        "message": message,
        "description": "Two of three zones answer nobody.",
        "tags": [],
        "details": details,
        "entity": "",
        "source": "Probe",
        "createdAt": at,
        "updatedAt": at * 1_000_000,
        "username": "Probe",
        "userId": "",
        "priority": priority,
    }
    body = {
        "action": "Close" if over else "Create",
        "alert": alert,
        "source": {"name": "probe", "type": "API"},
        "integrationId": "i-1",
        "integrationName": "stormfold",
    }
    return posted("opsgenie", orjson.dumps(body), **{"x-stormfold-secret": ENVIRON["OPSGENIE_WEBHOOK_SECRET"]})


def opsgenie_api(alias: str, message: str, priority: str, details: dict[str, str], over: bool = False) -> Told:
    """The alert API: create, or close by alias."""
    headers = {"content-type": "application/json", "authorization": f"GenieKey {ENVIRON['OPSGENIE_API_KEY']}"}
    if over:
        path = f"/v2/alerts/{quote(alias, safe='')}/close?identifierType=alias"
        return Told(path, orjson.dumps({"source": "Probe", "note": "recovered"}), headers)
    body = {"message": message, "alias": alias, "priority": priority, "details": details, "source": "Probe"}
    return Told("/v2/alerts", orjson.dumps(body), headers)


# --- changes


def github_deployment(repository: str, deployment: int, state: str, at: int, environment: str = "production") -> Told:
    """The status of a deployment: `in_progress`, `success`, `failure` and so on."""
    owner, _, name = repository.partition("/")
    moment = rfc3339(at - at % 1_000)
    body = orjson.dumps(
        {
            "action": "created",
            "deployment_status": {
                "id": at,
                "state": state,
                "creator": {"login": "mira"},
                "description": "",
                "environment": environment,
                "log_url": f"https://github.example.org/{repository}/actions/runs/9",
                "created_at": moment,
                "updated_at": moment,
            },
            "deployment": {
                "id": deployment,
                "sha": "c0ffee1",
                "ref": "main",
                "task": "deploy",
                "environment": environment,
                "creator": {"login": "mira"},
                "created_at": moment,
                "updated_at": moment,
            },
            "repository": {
                "full_name": repository,
                "name": name,
                "html_url": f"https://github.example.org/{repository}",
            },
            "organization": {"login": owner},
            "sender": {"login": "mira"},
        }
    )
    signature = "sha256=" + code("GITHUB_SECRET", body).hex()
    headers = {
        "x-github-event": "deployment_status",
        "x-github-delivery": f"delivery-{deployment}-{state}-{at}",
        "x-hub-signature-256": signature,
    }
    return posted("github", body, **headers)
