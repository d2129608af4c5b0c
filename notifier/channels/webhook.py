"""Generic webhook: a CloudEvents 1.0 body in structured JSON, signed after Standard Webhooks where a secret is set.

`webhook-id` is the delivery id, the same on every attempt and in the body's `id`, so a receiver can drop repeats.
2xx is success. 401, 403, 404 and 410 disable the target; 408, 425, 429 and 5xx are tried again; every other status,
redirects included, is terminal: the same request would meet the same answer, and the fallback should hear at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from kernel.clock import rfc3339
from kernel.config.schema import Webhook
from kernel.config.values import Secret
from kernel.model.delivery import Action
from notifier.channels.base import Cause, Delivery, Result, Verdict
from notifier.channels.http import Answer, Target, post
from notifier.channels.runes import cut, shrink

BODY_LIMIT = 20_000
CONTENT_TYPE = "application/cloudevents+json"
# Each step cuts strings to so many runes and lists to so many entries until the whole fits.
_STEPS = ((2_000, 200), (500, 50), (120, 20), (40, 8), (16, 4))
_SLOW_DOWN_MS = 5_000


def signing_keys(secret: Secret) -> tuple[bytes, ...]:
    """The keys of a secret: one `whsec_` and base64 of 24 to 64 bytes, or several apart by spaces while rotating.

    Raises ValueError with what would be right; the message does not repeat the secret.
    """
    keys = []
    for part in secret.reveal().split():
        try:
            key = base64.b64decode(part.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not part.startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError(f"the webhook secret in {secret.place} must be whsec_ and the base64 of 24 to 64 bytes")
        keys.append(key)
    return tuple(keys)


def signature(keys: tuple[bytes, ...], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,<base64 of HMAC-SHA256>` for each key."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    made = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii") for key in keys)
    return " ".join(f"v1,{code}" for code in made)


def _incident(delivery: Delivery) -> dict[str, Any]:
    """The variable part of `data`; any of its strings and lists may be cut."""
    line = delivery.headline
    return {
        "title": delivery.text.title,
        "text": delivery.text.body,
        "reasons": delivery.text.reasons,
        "summary": line.summary,
        "rule": line.rule,
        "group": line.group,
        "impact": line.score.impact,
        "urgency": line.score.urgency,
        "severity": line.severity,
        "team": line.team,
        "services": line.services,
        "sources": line.sources,
        "labels": line.labels,
        "firing": line.firing,
        "members": line.members,
        "count": line.count,
        "opened_at": rfc3339(line.opened_at),
        "changed_at": rfc3339(line.changed_at),
        "answered_by": line.answered_by,
        "predecessor": line.predecessor,
        "links": [{"text": text, "href": href} for text, href in line.links],
    }


def event(delivery: Delivery) -> bytes:
    """The CloudEvents body, under 20,000 bytes: a function of the delivery alone, never of the attempt."""
    key, line = delivery.key, delivery.headline
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": key.delivery_id,
        "source": f"/stormfold/{quote(cut(line.tenant, 100).encode('utf-8', 'replace'), safe='')}",
        "type": f"io.stormfold.incident.{key.action}.v1",
        "time": rfc3339(line.changed_at),
        "subject": key.incident,
        "datacontenttype": "application/json",
    }
    fixed = {
        "incident": key.incident,
        "episode": key.episode,
        "action": key.action,
        "reached": key.priority,
        "step": key.step,
        "status": line.status,
        "priority": line.priority,
    }
    whole = shrink(_incident(delivery), BODY_LIMIT, BODY_LIMIT)
    body = orjson.dumps(envelope | {"data": fixed | whole | {"truncated": False}})
    steps = iter(_STEPS)
    while len(body) >= BODY_LIMIT and (step := next(steps, None)) is not None:
        body = orjson.dumps(envelope | {"data": fixed | shrink(whole, *step) | {"truncated": True}})
    return body


def judge(answer: Answer) -> Answer:
    """An answer with what its status means for a webhook."""
    status = answer.status
    if status == 0 or 200 <= status < 300:
        return answer
    verdict, cause, wait = Verdict.TERMINAL, Cause.CLIENT_ERROR, 0
    if status in (401, 403):
        verdict, cause = Verdict.DISABLE, Cause.AUTH_ERROR
    elif status in (404, 410):
        verdict, cause = Verdict.DISABLE, Cause.DISABLED
    elif status == 429:
        verdict, cause, wait = Verdict.NOTHING, Cause.RATE_LIMITED, answer.retry_after_ms or _SLOW_DOWN_MS
    elif status in (408, 425):
        verdict, wait = Verdict.NOTHING, answer.retry_after_ms
    elif status >= 500:
        slow = _SLOW_DOWN_MS if status in (502, 504) else 0
        verdict, cause, wait = Verdict.AMBIGUOUS, Cause.SERVER_ERROR, answer.retry_after_ms or slow
    return replace(answer, verdict=verdict, cause=cause, retry_after_ms=wait)


class WebhookChannel:
    """A target that takes signed CloudEvents."""

    idempotent = True
    keyed_by_priority = False

    def __init__(self, name: str, target: Target, keys: tuple[bytes, ...], http: aiohttp.ClientSession) -> None:
        self.name = name
        self._target = target
        self._keys = keys
        self._http = http

    @classmethod
    def from_config(cls, name: str, config: Webhook, http: aiohttp.ClientSession) -> WebhookChannel:
        """Raises ValueError with what is wrong with the URL or the secret."""
        keys = signing_keys(config.secret) if config.secret is not None else ()
        return cls(name, Target.parse(config.url, config.allow_private), keys, http)

    def supports(self, action: Action) -> bool:
        """Every action has an event type."""
        return action in Action

    async def send(self, delivery: Delivery) -> Result:
        """POST the event once."""
        message_id, timestamp = delivery.key.delivery_id, delivery.sent_at_ms // 1000
        body = event(delivery)
        headers = {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._keys:
            headers["webhook-signature"] = signature(self._keys, message_id, timestamp, body)
        answer = judge(await post(self._http, self._target, body, headers, delivery.sent_at_ms))
        done = answer.verdict is Verdict.DONE
        return answer.result(self.idempotent, remote_id=message_id if done else "")
