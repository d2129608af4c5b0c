"""PagerDuty Events API v2: trigger, acknowledge, resolve.

`dedup_key` is incident#episode#priority: a raise is a new key (its alert notifies again), so a resolve must go to
every key that was triggered. A repeat on an open key changes nothing, which makes every retry safe.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from kernel.clock import rfc3339
from kernel.config.schema import PagerDuty
from kernel.config.values import Secret
from kernel.model.delivery import Action, LedgerKey, Outcome
from kernel.model.incident import Priority
from notifier.channels.base import Cause, Delivery, Result, Verdict
from notifier.channels.http import Answer, Target, post
from notifier.channels.runes import cut, one_line, redact, shrink

BODY_LIMIT = 512_000
SUMMARY_RUNES = 1_024
DEDUP_RUNES = 255
# The documentation asks to back off for minutes, or to try thrice 30 s apart, where a 429 says nothing itself.
_SLOW_DOWN_MS = 30_000

_SEVERITY = {Priority.P1: "critical", Priority.P2: "error", Priority.P3: "warning", Priority.P4: "info"}
_EVENT_ACTION = {
    Action.PAGE: "trigger",
    Action.UPDATE: "trigger",
    Action.ACKNOWLEDGE: "acknowledge",
    Action.RESOLVE: "resolve",
}


def dedup_key(key: LedgerKey) -> str:
    """PagerDuty's name for the alert of this incident, episode and priority."""
    return f"{key.incident}#{key.episode}#{key.priority}"


def _details(delivery: Delivery) -> dict[str, Any]:
    line = delivery.headline
    return {
        "text": delivery.text.body,
        "reasons": delivery.text.reasons,
        "priority": line.priority,
        "incident": line.id,
        "rule": line.rule,
        "group": line.group,
        "services": line.services,
        "sources": line.sources,
        "team": line.team,
        "severity": line.severity,
        "labels": line.labels,
        "members": line.members,
        "firing": line.firing,
        "alerts": line.count,
        "opened_at": rfc3339(line.opened_at),
        "summary": line.summary,
    }


def event(delivery: Delivery, routing_key: str) -> bytes:
    """The request body, at most 512,000 bytes: where it would be longer the details go first, then the links."""
    key, line = delivery.key, delivery.headline
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": _EVENT_ACTION[key.action],
        "dedup_key": dedup_key(key),
    }
    if body["event_action"] != "trigger":
        return orjson.dumps(body)
    group = ", ".join(f"{name}={value}" for name, value in line.group.items())
    payload: dict[str, Any] = {
        "summary": cut(one_line(delivery.text.title), SUMMARY_RUNES) or line.id,
        "source": cut(one_line(next(iter(line.services), "") or next(iter(line.sources), "")), 255) or "stormfold",
        "severity": _SEVERITY[key.priority],
        "timestamp": rfc3339(line.changed_at),
        "class": cut(one_line(line.rule), 255),
        "custom_details": shrink(_details(delivery), BODY_LIMIT, BODY_LIMIT),
    }
    if line.services:
        payload["component"] = cut(one_line(line.services[0]), 255)
    if group:
        payload["group"] = cut(one_line(group), 255)
    body["client"] = "stormfold"
    body["payload"] = payload
    links = [{"href": one_line(href), "text": one_line(text)} for text, href in line.links if href.startswith("http")]
    if links:
        body["links"] = links
    raw = orjson.dumps(body)
    if len(raw) > BODY_LIMIT:
        payload["custom_details"] = {"incident": line.id, "note": "the details were too long and are left out"}
        raw = orjson.dumps(body)
    if len(raw) > BODY_LIMIT:
        del body["links"]
        raw = orjson.dumps(body)
    return raw


def judge(answer: Answer, secret: str) -> Answer:
    """An answer with what its status means: 429 and 5xx are tried again, every other refusal is terminal."""
    status = answer.status
    if status == 0 or 200 <= status < 300:
        return answer
    detail = f"{answer.detail}{_said(answer.body, secret)}"
    verdict, cause, wait = Verdict.TERMINAL, Cause.CLIENT_ERROR, 0
    if status == 400:
        cause = Cause.INVALID
    elif status in (401, 402, 403):
        cause = Cause.AUTH_ERROR
    elif status == 429:
        verdict, cause, wait = Verdict.NOTHING, Cause.RATE_LIMITED, answer.retry_after_ms or _SLOW_DOWN_MS
    elif status in (408, 425):
        verdict, wait = Verdict.NOTHING, answer.retry_after_ms
    elif status >= 500:
        verdict, cause, wait = Verdict.AMBIGUOUS, Cause.SERVER_ERROR, answer.retry_after_ms
    return replace(answer, verdict=verdict, cause=cause, retry_after_ms=wait, detail=detail)


def _said(body: bytes, secret: str) -> str:
    """PagerDuty's own message and errors, for the operator, without the routing key."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(said, dict):
        return ""
    errors = said.get("errors")
    parts = [said.get("message"), *(errors if isinstance(errors, list) else ())]
    words = "; ".join(part for part in parts if isinstance(part, str))
    return f": {redact(words, (secret,))}" if words else ""


class PagerDutyChannel:
    """An integration key of PagerDuty, or of a relay that speaks its protocol."""

    idempotent = True
    keyed_by_priority = True

    def __init__(self, name: str, target: Target, routing_key: Secret, http: aiohttp.ClientSession) -> None:
        self.name = name
        self._target = target
        self._routing_key = routing_key
        self._http = http

    @classmethod
    def from_config(cls, name: str, config: PagerDuty, http: aiohttp.ClientSession) -> PagerDutyChannel:
        """Raises ValueError with what is wrong with the URL."""
        return cls(name, Target.parse(config.url, config.allow_private), config.routing_key, http)

    def supports(self, action: Action) -> bool:
        """An update is a trigger on its open key."""
        return action in _EVENT_ACTION

    async def send(self, delivery: Delivery) -> Result:
        """POST the event once. `remote_id` is the dedup key."""
        remote_id = dedup_key(delivery.key)
        if len(remote_id) > DEDUP_RUNES:
            return Result(Outcome.FAILED, Cause.INVALID, "the dedup key would be longer than PagerDuty allows")
        secret = self._routing_key.reveal()
        body = event(delivery, secret)
        headers = {"Content-Type": "application/json"}
        answer = judge(await post(self._http, self._target, body, headers, delivery.sent_at_ms), secret)
        return answer.result(self.idempotent, remote_id=remote_id if answer.verdict is Verdict.DONE else "")
