"""The fields of a Zabbix message, whatever a media type calls them, and what its default texts say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ingest.adapters.base import NotUnderstood
from ingest.adapters.reading import as_list, as_object, decode, scalar

_UNFILLED: Final = re.compile(r"\{(?:[$#?][^{}]+|[A-Z][A-Z0-9_]*\.[^{}]+|[A-Z][A-Za-z0-9_]*)\}|\*UNKNOWN\*")
"""A macro as it is written: `{HOST.NAME}`, `{EVENT.TAGS."a tag"}`, `{$USER:"context"}`, `{#FOUND}`, `{?expression}`."""
_NO_LETTER: Final = re.compile(r"[^a-z0-9]")
_MARKUP: Final = re.compile(r"</?b>", re.IGNORECASE)
_BREAK: Final = re.compile(r"<br ?/?>|\r?\n", re.IGNORECASE)
_STATUS_NOW: Final = re.compile(r"^Current problem status is (\w{1,20}),")
_MAX_TEXT: Final = 64 * 1024
_KNOWN: Final = ("problem name", "host", "severity", "operational data", "original problem id")


def default_texts(message: str) -> dict[str, str]:
    """What a message of the default templates says: its lines `Name: value`, and `status` and `updated`."""
    found: dict[str, str] = {}
    lines = _BREAK.split(_MARKUP.sub("", message[:_MAX_TEXT]))
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name.strip().lower() in _KNOWN:
            found.setdefault(name.strip().lower(), value.strip())
        elif now := _STATUS_NOW.search(line):
            found |= {"status": now[1], "updated": "1"}
    first = lines[0]
    if first.startswith("Problem started"):
        found["status"] = "PROBLEM"
    elif first.startswith("Problem has been resolved"):
        found["status"] = "RESOLVED"
    return found


class Fields:
    """The texts that an alert is made of; each is empty where the message has none."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._texts = dict(_texts(body))
        self.subject = self._first("alertsubject", "subject")
        self.message = self._first("alertmessage", "message")
        said = default_texts(self.message)
        self.event_id = self._first("eventid", "problemid") or said.get("original problem id", "")
        self.trigger_id = self._first("triggerid")
        self.source = self._first("eventsource")
        self.value = "0" if self._first("eventrecoveryvalue") == "0" else self._first("eventvalue")
        self.status = self._first("eventstatus", "status", "triggerstatus", "triggervalue") or said.get("status", "")
        self.updated = self._first("eventupdatestatus", "updatestatus", "eventupdate") == "1" or "updated" in said
        self.action = self._first("eventupdateaction", "updateaction")
        self.severity = self._first(
            "eventseverity", "severity", "triggerseverity", "eventnseverity", "nseverity", "triggernseverity"
        ) or said.get("severity", "")
        self.update_severity = self._first("eventupdateseverity", "eventupdatenseverity")
        self.name = self._first("eventname", "triggername", "trigger", "problem", "name") or said.get(
            "problem name", ""
        )
        self.host = self._first("hosthost", "host", "hostname") or said.get("host", "")
        self.address = self._first("hostip", "hostconn")
        self.groups = self._first("triggerhostgroupname", "hostgroups", "hostgroup")
        self.item = self._first("item", "itemname")
        self.data = self._first("eventopdata", "opdata", "operationaldata") or said.get("operational data", "")
        self.description = self._first("triggerdescription", "description")
        self.link = self._first("link", "url", "eventurl", "problemurl", "triggerurl")
        self.began = self._first("eventtimestamp", "timestamp")
        self.ended = self._first("eventrecoverytimestamp", "recoverytimestamp")
        self.changed = self._first("eventupdatetimestamp", "updatetimestamp")
        self.tags = dict(_tags(body))
        self.service = next((value for name, value in self.tags.items() if name.lower() == "service"), None)

    def _first(self, *names: str) -> str:
        return next((self._texts[name] for name in names if self._texts.get(name)), "")


def _plain(name: str) -> str:
    return _NO_LETTER.sub("", name.lower())


def _texts(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        text = scalar(value) if isinstance(value, bool | int | float) else value
        if isinstance(text, str) and not _UNFILLED.fullmatch(text.strip()):
            yield _plain(name), text.strip()


def _tags(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tags as `{EVENT.TAGSJSON}` writes them, as text or as JSON itself, or as `{EVENT.TAGS}` does: `name:value, ...`.

    The first value of a name counts.
    """
    for field in sorted(body, key=lambda name: "json" not in name.lower()):
        if _plain(field) not in ("eventtagsjson", "tagsjson", "eventtags", "tags"):
            continue
        value = body[field]
        if isinstance(value, str):
            text = value.strip()
            if _UNFILLED.fullmatch(text):
                continue
            if not text.startswith("["):
                yield from reversed([_pair(part) for part in text.split(",") if part.strip()])
                return
            try:
                value = decode(text.encode())
            except (NotUnderstood, UnicodeEncodeError):
                continue
        if value is not None:
            entries = [as_object(entry, "a tag") for entry in as_list(value, field[:80])]
            told = [(entry.get("tag"), entry.get("value")) for entry in entries]
            yield from reversed([(k, v) for k, v in told if isinstance(k, str) and isinstance(v, str) and k])
            return


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition(":")
    return name.strip(), value.strip()
