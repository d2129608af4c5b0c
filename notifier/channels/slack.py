"""Slack: messages of a bot, by `chat.postMessage`.

What tells of an episode first, and every page, is a message with buttons; what follows goes into the thread of the
first. Slack knows no idempotency key, so every message carries metadata (`stormfold_incident`, with the delivery id):
after an attempt that may or may not have arrived the channel's history is searched for it. The same metadata tells
stormfold's own door for Slack that the message is no report. HTTP 200 with `"ok": false` is an error like any other.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from kernel.config.schema import Slack
from kernel.config.values import Secret
from kernel.model.delivery import Action, LedgerKey, Outcome
from kernel.model.incident import Priority
from notifier.channels.base import Cause, Delivery, Result, Verdict
from notifier.channels.http import Answer, Target, post
from notifier.channels.runes import clean, one_line

EVENT_TYPE = "stormfold_incident"
SECTION_RUNES = 3_000
"""Slack's own limit. Three sections stay below the 13,200 characters of blocks that it takes without saying so."""
TEXT_RUNES = 4_000
SETTLES_S = 2.0
LOOK_AROUND_MS = 15 * 60_000
"""Before and after the attempt: our clock and Slack's may differ, and a channel may be too busy for one answer."""
_HISTORY = 100
_SLOW_DOWN_MS = 30_000

_TELLS = (Action.PAGE, Action.UPDATE)
_TERMINAL = frozenset(
    ("channel_not_found", "not_in_channel", "is_archived", "msg_too_long", "msg_blocks_too_long", "invalid_blocks")
)
_DISABLE = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "team_access_not_granted",
    )
)
_AMBIGUOUS = frozenset(("internal_error", "fatal_error", "request_timeout", "service_unavailable"))
_MARKS = {
    Priority.P1: ":red_circle:",
    Priority.P2: ":large_orange_circle:",
    Priority.P3: ":large_yellow_circle:",
    Priority.P4: ":white_circle:",
}


def escape(text: str) -> str:
    """Text as Slack wants it: what could mention a channel or be taken for markup is shown as it is."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(text: str, runes: int) -> str:
    """Escaped text of at most `runes` code points; a cut never leaves half of an escaped character."""
    made = escape(text)
    if len(made) <= runes:
        return made
    short = made[: runes - 1]
    start = short.rfind("&")
    if start >= 0 and ";" not in short[start:]:
        short = short[:start]
    return f"{short}…"


def _button(action: str, label: str, value: str, style: str) -> dict[str, Any]:
    words = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action, "text": words, "value": value, "style": style}


def blocks(delivery: Delivery, buttons: bool) -> list[dict[str, Any]]:
    """The message's blocks, at most 12,000 characters in all; buttons only under what is not in a thread."""
    key, text = delivery.key, delivery.text
    title = fit(one_line(text.title), SECTION_RUNES - 100) or key.incident
    mark = f"{_MARKS[delivery.headline.priority]} " if key.action in _TELLS else ""
    reasons = "\n".join(f"• {one_line(reason)}" for reason in text.reasons)
    parts = [f"{mark}*{title}*", fit(text.body, SECTION_RUNES), fit(reasons, SECTION_RUNES)]
    made: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts if part.strip()
    ]
    if buttons and key.action in _TELLS and not _parent(delivery):
        value = f"{key.incident}#{key.episode}"
        pair = [_button("ack", "Acknowledge", value, "primary"), _button("resolve", "Resolve", value, "danger")]
        made.append({"type": "actions", "block_id": f"stormfold:{key.incident}", "elements": pair})
    return made


def message(delivery: Delivery, channel: str, buttons: bool) -> bytes:
    """The body of `chat.postMessage`."""
    key = delivery.key
    body: dict[str, Any] = {
        "channel": channel,
        "text": fit(one_line(delivery.text.title), TEXT_RUNES) or key.incident,
        "blocks": blocks(delivery, buttons),
        "unfurl_links": False,
        "metadata": {
            "event_type": EVENT_TYPE,
            "event_payload": {
                "incident": key.incident,
                "episode": key.episode,
                "action": key.action.value,
                "delivery": key.delivery_id,
            },
        },
    }
    if thread := _parent(delivery):
        body["thread_ts"] = thread
        body["reply_broadcast"] = key.action is Action.RESOLVE
    return orjson.dumps(body)


def _parent(delivery: Delivery) -> str:
    """The time stamp of the message under which this one belongs; a page is never hidden in a thread."""
    return "" if delivery.key.action is Action.PAGE else delivery.thread.partition(":")[2]


def judge(answer: Answer) -> tuple[Answer, dict[str, Any]]:
    """An answer with what it means, and its body where that is an object."""
    said = _object(answer.body)
    if answer.status == 0:
        return answer, said
    error = said.get("error")
    word = error if isinstance(error, str) and error.isascii() and len(error) <= 64 else ""
    if answer.status == 200 and said.get("ok") is True:
        return answer, said
    detail = f"{answer.detail}: {word}" if word else answer.detail
    verdict, cause, wait = Verdict.TERMINAL, Cause.CLIENT_ERROR, 0
    if answer.status == 429 or word in ("ratelimited", "rate_limited"):
        verdict, cause, wait = Verdict.NOTHING, Cause.RATE_LIMITED, answer.retry_after_ms or _SLOW_DOWN_MS
    elif answer.status >= 500 or word in _AMBIGUOUS:
        verdict, cause, wait = Verdict.AMBIGUOUS, Cause.SERVER_ERROR, answer.retry_after_ms
    elif answer.status in (401, 403) or word in _DISABLE:
        verdict, cause = Verdict.DISABLE, Cause.AUTH_ERROR
    elif word in _TERMINAL:
        cause = Cause.INVALID
    return replace(answer, verdict=verdict, cause=cause, retry_after_ms=wait, detail=detail), said


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: dict[str, Any], field: str) -> str:
    value = said.get(field)
    return value if isinstance(value, str) else ""


class SlackChannel:
    """One channel of one workspace."""

    idempotent = False
    keyed_by_priority = False

    def __init__(self, name: str, api: Target, config: Slack, http: aiohttp.ClientSession) -> None:
        self.name = name
        self._api = api
        self._channel = config.channel
        self._token: Secret = config.token
        self._buttons = config.buttons
        self._http = http

    @classmethod
    def from_config(cls, name: str, config: Slack, http: aiohttp.ClientSession) -> SlackChannel:
        """Raises ValueError with what is wrong with the URL."""
        return cls(name, Target.parse(config.url, config.allow_private), config, http)

    def supports(self, action: Action) -> bool:
        """Every action is a message."""
        return action in Action

    async def send(self, delivery: Delivery) -> Result:
        """Post the message once; where nobody can say whether it arrived, look before saying so."""
        body = message(delivery, self._channel, self._buttons)
        answer, said = judge(await self._call("chat.postMessage", body, "application/json; charset=utf-8", delivery))
        if answer.verdict is Verdict.AMBIGUOUS:
            await asyncio.sleep(SETTLES_S)
            found, told = await self._find(delivery)
            if found:
                return Result(Outcome.SENT, Cause.OK, "found by reading back", remote_id=found)
            if told:
                return Result(Outcome.RETRY, answer.cause, f"{answer.detail}; not found by reading back")
        stamp, channel = _text(said, "ts"), _text(said, "channel") or self._channel
        return answer.result(self.idempotent, f"{channel}:{stamp}" if stamp else "")

    async def read_back(self, delivery: Delivery) -> Result | None:
        """The message of this delivery, if the channel or its thread has it; `unknown` where Slack does not tell."""
        found, told = await self._find(delivery)
        if found:
            return Result(Outcome.SENT, Cause.OK, "found by reading back", remote_id=found)
        return None if told else Result(Outcome.UNKNOWN, Cause.SERVER_ERROR, "Slack did not tell its history")

    async def _find(self, delivery: Delivery) -> tuple[str, bool]:
        """(`channel:ts` of the message or empty, whether Slack told)."""
        around = {
            "oldest": f"{(delivery.sent_at_ms - LOOK_AROUND_MS) / 1000:.6f}",
            "latest": f"{(delivery.sent_at_ms + LOOK_AROUND_MS) / 1000:.6f}",
        }
        wanted = {"channel": self._channel, "limit": str(_HISTORY), "include_all_metadata": "true", **around}
        if thread := _parent(delivery):
            method, wanted = "conversations.replies", {**wanted, "ts": thread}
        else:
            method = "conversations.history"
        form = urlencode(wanted).encode()
        answer, said = judge(await self._call(method, form, "application/x-www-form-urlencoded", delivery))
        if answer.verdict is not Verdict.DONE:
            return "", False
        messages = said.get("messages")
        for found in messages if isinstance(messages, list) else []:
            if isinstance(found, dict) and _is_of(found.get("metadata"), delivery.key) and _text(found, "ts"):
                return f"{self._channel}:{_text(found, 'ts')}", True
        return "", True

    async def _call(self, method: str, body: bytes, kind: str, delivery: Delivery) -> Answer:
        target = replace(self._api, url=self._api.url / method)
        headers = {"Content-Type": kind, "Authorization": f"Bearer {self._token.reveal()}"}
        return await post(self._http, target, body, headers, delivery.sent_at_ms)


def _is_of(metadata: Any, key: LedgerKey) -> bool:
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return False
    payload = metadata.get("event_payload")
    return isinstance(payload, dict) and payload.get("delivery") == key.delivery_id
