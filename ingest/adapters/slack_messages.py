"""Messages of Slack's Events API: which are reports, which are stormfold's own, and what they say.

No loops: a message is stormfold's own where its metadata carry the mark that stormfold's channel writes, where a block
is named by it, where the listening app itself posted it (its `api_app_id`, or the bot user that it is authorised as),
or where an id of it stands in the source's `own_ids`. Whatever else a program posts into a configured channel is a
report.

A reply in a thread is no new report; under a message of stormfold's own, where Slack sends that with its metadata
(`root` of a reply that was also sent to the channel), it is a note to the incident.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason, clamp, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_answer
from ingest.adapters.reading import UNREADABLE, as_object, epoch, text_at, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.config.schema import SourceConfig
from kernel.model.alert import Kind, Severity, Status
from kernel.model.naming import digest, own_key
from kernel.model.signals import Verb

OWN_MARK: Final = "stormfold_incident"
"""`event_type` of the metadata of stormfold's own messages; incident and episode are in its `event_payload`."""
OWN_BLOCK: Final = "stormfold:"

_MESSAGES: Final = ("message", "app_mention")
_NEW: Final = ("", "bot_message", "file_share", "me_message", "thread_broadcast")
_ESCAPED: Final = re.compile(r"<([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")
_TO_BOT: Final = re.compile(r"\s*<@[A-Z0-9]{1,30}(?:\|[^<>]{0,100})?>[\s:,]*")
_SERVICE: Final = re.compile(r"(?:^|\s)service:([A-Za-z0-9][A-Za-z0-9_./-]{0,62})")
_WORD: Final = re.compile(r"\s*\[?([^\s:,\]]{1,40})\]?[:,]?(?:\s+|$)")
_LEVEL: Final = re.compile(r"(?:p|sev-?)[0-5]", re.IGNORECASE)
_TS: Final = re.compile(r"[0-9]{9,11}\.[0-9]{1,9}")
_ID: Final = re.compile(r"[A-Z0-9]{1,30}")
_HEADLINE: Final = 150
_SHOWN_PARTS: Final = 10


def from_event(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    """One event: a report, a note, or nothing for the reason that `notes` get."""
    event = as_object(body.get("event"), "event")
    kind = text_at(event, "type", "event.type")
    subtype = text_at(event, "subtype", "event.subtype")
    channel = text_at(event, "channel", "event.channel")
    thread = said(event, "thread_ts")
    if kind not in _MESSAGES:
        notes.append(f"{kind[:60] or 'no type'}: this event is no message")
    elif own := _own(body, event, message.config):
        notes.append(f"{own}, so it is no report")
    elif subtype not in _NEW:
        notes.append(f"{subtype[:60]}: this is no new message")
    elif subtype == "thread_broadcast" or (thread and thread != said(event, "ts")):
        _reply(message, event, parsed, notes)
    elif message.config.channels and channel not in message.config.channels:
        notes.append(f"the channel {channel[:40]} is none of the source's channels")
    else:
        _report(message, body, event, parsed)


def _own(body: dict[str, Any], event: dict[str, Any], config: SourceConfig) -> str:
    """Why a message is stormfold's own, empty where it is not."""
    metadata = event.get("metadata")
    if isinstance(metadata, dict) and metadata.get("event_type") == OWN_MARK:
        return "the message carries stormfold's own mark"
    if any(said(block, "block_id").startswith(OWN_BLOCK) for block in _objects(event.get("blocks"))):
        return "the message has a block of stormfold's own"
    profile = event.get("bot_profile")
    apps = {said(event, "app_id"), said(profile, "app_id")} - {""}
    authors = {said(event, "user"), said(event, "bot_id"), said(profile, "id"), *apps} - {""}
    named = authors & set(config.own_ids)
    if named:
        return f"the message is of {min(named)}, one of the source's own_ids"
    listens = {said(entry, "user_id") for entry in _objects(body.get("authorizations")) if entry.get("is_bot") is True}
    if said(body, "api_app_id") in apps or said(event, "user") in listens - {""}:
        return "the app that listens posted the message itself"
    return ""


def _reply(message: Message, event: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    root = event.get("root")
    metadata = root.get("metadata") if isinstance(root, dict) else None
    key = ""
    if isinstance(metadata, dict) and metadata.get("event_type") == OWN_MARK:
        payload = metadata.get("event_payload")
        key = f"{said(payload, 'incident')}#{said(payload, 'episode')}"
    if own_key(key) is None:
        notes.append("a reply in the thread of another message is no new report")
    elif said(event, "bot_id") or not said(event, "user"):
        notes.append("a reply of a program under stormfold's own message is no answer")
    else:
        user, ts = said(event, "user"), text_at(event, "ts", "event.ts")
        name = digest(["slack", said(event, "channel"), ts]).hex()
        add_answer(message, parsed, Verb.NOTE, name=name, by=user, key=key, note=shown(said(event, "text")))
        notes.append(f"{Verb.NOTE} by {user[:80]} of {key}")


def _report(message: Message, body: dict[str, Any], event: dict[str, Any], parsed: Parsed) -> None:
    channel, ts = said(event, "channel"), said(event, "ts")
    if not channel or not ts:
        raise NotUnderstood(
            Reason.MISSING_IDENTITY, "event.channel and event.ts must have a value; together they are the message's id"
        )
    raw = "\n".join(_texts(event))
    text = shown(_TO_BOT.sub("", raw, count=1) if said(event, "type") == "app_mention" else raw)
    severity, rest = severity_in(text, message.config, parsed)
    service, team = service_of(text), said(body, "team_id")
    bot = said(event.get("bot_profile"), "name") or said(event, "username")
    author = said(event, "user") or said(event, "bot_id")
    when = _moment(ts, parsed)
    where = f"https://slack.com/app_redirect?team={team}&channel={channel}&message_ts={ts}"
    usable = _ID.fullmatch(team) and _ID.fullmatch(channel) and _TS.fullmatch(ts)
    add_alert(
        message,
        parsed,
        0,
        identity={"channel": channel, "ts": ts},
        name=headline(rest) or f"message of {bot or author or 'somebody'}",
        status=Status.FIRING,
        severity=severity,
        labels={"channel": channel, "team": team, "user": author, "bot": bot, "service": service},
        observed_at=when,
        kind=Kind.REPORT,
        service=service or None,
        description=text,
        links=[("message", where if usable else ""), *(("link", found) for found in _links(raw))],
        starts_at=when if when is None else clamp(when, message.arrival, parsed),
        valid_for=valid_for(message.config),
    )


def _moment(ts: str, parsed: Parsed) -> Millis | None:
    """A message's id as its time: seconds, and a fraction that also tells messages of one moment apart."""
    seconds, _, fraction = ts.partition(".")
    known = _TS.fullmatch(ts) is not None
    return time_or_none(epoch(int(seconds) * 1000 + int(fraction[:3].ljust(3, "0"))) if known else UNREADABLE, parsed)


def _texts(event: dict[str, Any]) -> Iterator[str]:
    """What a message says: its text; of programs that leave it empty, its attachments, blocks and files."""
    text = said(event, "text")
    if text.strip():
        yield text
        return
    for attachment in _objects(event.get("attachments")):
        parts = [said(attachment, field) for field in ("pretext", "title", "text")]
        yield "\n".join(part for part in parts if part) or said(attachment, "fallback")
    for block in _objects(event.get("blocks")):
        inner = block.get("text")
        yield said(inner, "text") if isinstance(inner, dict) else ""
    for file in _objects(event.get("files")):
        yield said(file, "title") or said(file, "name")


def _links(text: str) -> Iterator[str]:
    found = (part[1] for part in _ESCAPED.finditer(text))
    return (html.unescape(part) for part in found if part.startswith(("https://", "http://")))


def _objects(value: Any) -> list[dict[str, Any]]:
    found = value[:_SHOWN_PARTS] if isinstance(value, list) else []
    return [entry for entry in found if isinstance(entry, dict)]


def said(found: Any, key: str) -> str:
    """The text at a key of what may be an object: what is only shown costs no report where it is odd."""
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""


def shown(text: str) -> str:
    """Slack's markup as people read it: `<https://x|there>` is `there`, `<@U1>` is `@U1`, `&lt;` is `<`."""

    def plain(part: re.Match[str]) -> str:
        what, label = part[1], part[2]
        if what[0] in "@#!":
            sign = "#" if what[0] == "#" else "@"
            return f"{sign}{label.lstrip('@#')}" if label else f"{sign}{what[1:]}"
        return label or what

    return html.unescape(_ESCAPED.sub(plain, text)).strip()


def headline(text: str) -> str:
    """The first line that says something, at most 150 characters."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= _HEADLINE else f"{first[: _HEADLINE - 1].rstrip()}…"


def service_of(text: str) -> str:
    """NAME of `service:NAME`, if the text has just one such name."""
    named = {found.rstrip("./-_") for found in _SERVICE.findall(text)}
    return named.pop() if len(named) == 1 else ""


def severity_in(text: str, config: SourceConfig, parsed: Parsed) -> tuple[Severity, str]:
    """The severity that the first word says (P1, sev2, or a word of the source's own map), and the text behind it."""
    first = _WORD.match(text)
    if first is not None and (_LEVEL.fullmatch(first[1]) or first[1] in config.severities):
        return severity_of(first[1], config, SEVERITIES, parsed), text[first.end() :]
    return severity_of(None, config, SEVERITIES, parsed), text
