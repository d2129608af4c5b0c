"""PagerDuty's Events API v2: `POST /v2/enqueue` and `POST /v2/change/enqueue`.

Status codes, rules and limits: the vendor's description of the API (PagerDuty/api-schema, reference/events-v2) and
its documentation of events (PagerDuty/developer-docs, docs/events-API-v2). An event is checked as PagerDuty checks it,
then goes on without its routing key: triggers, resolves and changes to the alerts, acknowledgements to the answers.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

import orjson

from ingest.gateway.collector import MAX_RECORD
from ingest.gateway.dropin.rewrite import with_fields
from ingest.gateway.intake import Head, Intake, checked
from ingest.gateway.replies import BACK_PRESSURE, JSON, Gone, Refused, Tally, answer
from ingest.gateway.sources import Source, Sources
from kernel.config.proof import ROUTING_KEY
from kernel.telemetry.http import Receive, Scope, Send

ALERTS: Final = "/v2/enqueue"
CHANGES: Final = "/v2/change/enqueue"
MAX_EVENT: Final = MAX_RECORD
MAX_DEDUP_KEY: Final = 255
MAX_SUMMARY: Final = 1_024
ADAPTER: Final = "pagerduty"

_KEY_LENGTH: Final = 32
_ACTIONS: Final = ("trigger", "acknowledge", "resolve")
_SEVERITIES: Final = ("critical", "warning", "error", "info")
_NOBODY: Final = ""


class InvalidEvent(Refused):
    """What the vendor refuses: 400 with every rule that is broken."""

    def __init__(self, errors: list[str], reason: str = "invalid_event") -> None:
        super().__init__(400, reason, "Event object is invalid")
        self.errors = errors


class PagerDutyDoor:
    """Both paths. Which source an event is of is said by its routing key."""

    def __init__(self, sources: Sources, intake: Intake, tally: Tally) -> None:
        self._sources = sources
        self._intake = intake
        self._tally = tally
        self._reading = intake.pool.member(ALERTS)

    def serves(self, path: str) -> bool:
        """Whether this is one of its paths."""
        return path in (ALERTS, CHANGES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One event."""
        source: Source | None = None
        try:
            event, plain = await self._read(scope, receive)
            source = self._source(event)
            reply = await (_change if scope["path"] == CHANGES else _alert)(source, event, plain)
        except Refused as refused:
            said = _said(refused)
            self._tally.refused(source.name if source else _NOBODY, refused)
            await answer(send, refused.status, orjson.dumps(said), JSON + refused.headers)
        except Gone:
            self._tally.gone(_NOBODY)
        else:
            self._tally.answered(source.name, 202)
            await answer(send, 202, orjson.dumps(reply), JSON)

    async def _read(self, scope: Scope, receive: Receive) -> tuple[dict[str, Any], bytes]:
        if scope["method"] != "POST":
            raise Refused(405, "method", "use POST", ((b"allow", b"POST"),))
        head = Head(scope["headers"])
        body = await self._intake.read(head, receive, self._reading)
        plain = await checked(body, head.packed)
        if len(plain) > MAX_EVENT:
            raise Refused(413, "too_large", f"the event is over the limit of {MAX_EVENT} bytes")
        event = orjson.loads(plain)
        if not isinstance(event, dict):
            raise Refused(400, "invalid_event", "an event is a JSON object")
        return event, plain

    def _source(self, event: dict[str, Any]) -> Source:
        key = event.get("routing_key")
        errors = _key_errors(key)
        found = self._sources.by_key(ADAPTER, key.encode("utf-8", "replace")) if isinstance(key, str) else None
        if found is None:
            raise InvalidEvent(errors or ["Invalid routing key"], "unauthorised")
        return found


def _said(refused: Refused) -> dict[str, Any]:
    """The body as the vendor has it; where there was no room the status becomes the vendor's own."""
    if isinstance(refused, InvalidEvent):
        return {"status": "invalid event", "message": refused.sentence, "errors": refused.errors}
    status, message = "error", refused.sentence
    if refused.reason in BACK_PRESSURE:
        refused.status = 429
        status = "throttle exceeded"
        message = "Requests for this service are arriving too quickly.  Please retry later."
    elif refused.status == 400:
        status, message = "Unrecognized object", "Event object format is unrecognized"
    return {"status": status, "message": message, "errors": [refused.sentence]}


async def _alert(source: Source, event: dict[str, Any], plain: bytes) -> dict[str, str]:
    action, key = event.get("event_action"), event.get("dedup_key")
    errors = _alert_errors(event)
    if errors:
        raise InvalidEvent(errors)
    added: dict[str, str] = {}
    if _blank(key):
        # Only the answer tells the sender which key its alert has.
        key = added["dedup_key"] = uuid.uuid4().hex
    way = source.answers if action == "acknowledge" else source.alerts
    await way.forward(_without_key(plain, added), source.plain)
    return {"status": "success", "message": "Event processed", "dedup_key": str(key)}


async def _change(source: Source, event: dict[str, Any], plain: bytes) -> dict[str, str]:
    errors = _payload_errors(event, ("summary",))
    if errors:
        raise InvalidEvent(errors)
    await source.alerts.forward(_without_key(plain, {}), source.plain)
    return {"status": "success", "message": "Change event processed"}


def _without_key(plain: bytes, added: dict[str, str]) -> bytes:
    """The event without its routing key; everything else byte for byte, so that no number loses a digit."""
    return with_fields(plain, added, without=("routing_key",))


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _key_errors(key: Any) -> list[str]:
    if _blank(key):
        return ["'routing_key' is missing or blank"]
    if not isinstance(key, str):
        return ["'routing_key' must be a string"]
    errors = []
    if len(key) != _KEY_LENGTH:
        errors.append(f"Length of 'routing_key' is incorrect (should be {_KEY_LENGTH} characters)")
    elif not ROUTING_KEY.fullmatch(key):
        errors.append("'routing_key' cannot contain non-alphanumeric characters.")
    return errors


def _alert_errors(event: dict[str, Any]) -> list[str]:
    action, key = event.get("event_action"), event.get("dedup_key")
    errors: list[str] = []
    if _blank(action):
        errors.append("'event_action' is missing or blank")
    elif action not in _ACTIONS:
        errors.append("'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')")
    if _blank(key):
        if action in ("acknowledge", "resolve"):
            errors.append("'dedup_key' is missing or blank")
    elif not isinstance(key, str):
        errors.append("'dedup_key' must be a string")
    elif len(key) > MAX_DEDUP_KEY:
        errors.append(f"'dedup_key' is too long (maximum is {MAX_DEDUP_KEY} characters)")
    if action == "trigger":
        errors += _payload_errors(event, ("summary", "source", "severity"))
    return errors


def _payload_errors(event: dict[str, Any], required: tuple[str, ...]) -> list[str]:
    payload = event.get("payload")
    if payload is None:
        return ["'payload' is missing or blank"]
    if not isinstance(payload, dict):
        return ["'payload' must be an object"]
    errors = []
    for name in required:
        if _blank(payload.get(name)):
            errors.append(f"'payload.{name}' is missing or blank")
        elif not isinstance(payload[name], str):
            errors.append(f"'payload.{name}' must be a string")
        elif name == "severity" and payload[name] not in _SEVERITIES:
            errors.append(
                "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
            )
        elif name == "summary" and len(payload[name]) > MAX_SUMMARY:
            errors.append(f"'payload.summary' is too long (maximum is {MAX_SUMMARY} characters)")
    if not _is_time(payload.get("timestamp")):
        errors.append("'payload.timestamp' is invalid (must be a timestamp of ISO 8601)")
    return errors


def _is_time(value: Any) -> bool:
    """ISO 8601, or absent. The vendor's own client may write an offset and a `Z` behind it."""
    if _blank(value):
        return True
    if not isinstance(value, str) or len(value) > 64:
        return False
    text = value.strip()
    if text.endswith("Z") and ("+" in text[10:] or "-" in text[10:]):
        text = text[:-1]
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
