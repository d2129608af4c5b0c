"""Slack: messages and slash commands as reports of people, buttons as their answers.

Identity: of a message its channel and `ts`, which is the message's own id and the same when the event comes again
(`x-slack-retry-num`, another `event_id`, an `app_mention` beside the `message`); of a slash command its `trigger_id`.
Nothing of Slack says that a report is over: people resolve its incident, or it goes stale where the source has a
`repeat_interval`. `observed_at` is the message's `ts`, by Slack's clock; arrival for commands, which have no time.

What is a report: a message in one of the source's `channels`, of a person or of another program that posts there; a
slash command, whatever it is called. Edits, deletions, joins and replies in threads are none (`slack_messages.py`).
Buttons that stormfold's channel puts under a page (`ack` and `resolve`, with `incident#episode`) are answers.
Source: "Events API", "Implementing slash commands" and "Interaction payloads" of Slack's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

import msgspec

from ingest.adapters.base import About, Adapter, Handshake, Message, NotUnderstood, Outcome, Parsed, Reason, Reply
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_answer, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, text_at
from ingest.adapters.slack_messages import from_event, headline, said, service_of, severity_in, shown
from kernel.model.alert import Kind, Status
from kernel.model.naming import digest
from kernel.model.signals import Verb

_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = re.compile(rb"[A-Za-z_]{1,40}=")
_MAX_FIELDS: Final = 100
_MAX_CHALLENGE: Final = 1_000
_ASKED: Final = "url_verification"
_VERBS: Final = {"ack": Verb.ACKNOWLEDGE, "resolve": Verb.RESOLVE}
_INTERACTIONS: Final = frozenset(
    ("shortcut", "message_action", "view_submission", "view_closed", "interactive_message", "block_suggestion")
)
_AS_POSTED: Final = ("text", "attachments", "blocks")
_TAKEN: Final = msgspec.json.encode({"response_type": "ephemeral", "text": "stormfold has it."})

_CONNECT: Final = """
Make an app from this manifest (*api.slack.com/apps, Create New App, From a manifest*), install it, invite it into the
channels where people report (`/invite @stormfold`), and give its *Signing Secret* to the source. Slack needs an address
that it reaches by HTTPS.

```yaml
display_information: {name: stormfold}
features:
  bot_user: {display_name: stormfold}
  slash_commands:
    - command: /incident
      url: https://stormfold.example.com/v1/sources/slack
      description: Report an incident
      usage_hint: "[P1] what is wrong [service:NAME]"
oauth_config:
  scopes:
    bot: [commands, "channels:history", "groups:history", "chat:write", "metadata.message:read"]
settings:
  event_subscriptions:
    request_url: https://stormfold.example.com/v1/sources/slack
    bot_events: [message.channels, message.groups]
  interactivity: {is_enabled: true, request_url: https://stormfold.example.com/v1/sources/slack}
```

In stormfold's own configuration:

```yaml
sources:
  slack:
    proof: {type: slack, secrets: [{env: SLACK_SIGNING_SECRET}]}
    channels: [C024BE91L]      # ids of the channels whose messages are reports
    # own_ids: [B024BE91L]     # only where another app of Slack posts for stormfold than this one
rules:
  - name: reports in one channel
    match: [channel!=""]
    group_by: [channel]
```

The gateway answers at `http://stormfold:8080/v1/sources/slack`. A message or command that begins with `P1` to `P5` (or
`sev1` to `sev5`) says its severity, `service:NAME` anywhere in it names the service.
"""


class Slack(Adapter):
    """Same alert: channel and `ts` of a message, `trigger_id` of a command. Source: Slack's documentation."""

    name: ClassVar[str] = "slack"
    title: ClassVar[str] = "Slack (Events API, slash commands, buttons)"
    shape: ClassVar[tuple[str, ...]] = ("token", "team_id", "api_app_id", "event", "type", "event_id")
    forms: ClassVar[bool] = True
    answers: ClassVar[bool] = True
    greets: ClassVar[bool] = True
    accepted: ClassVar[Reply | None] = Reply(200, _TAKEN)
    about: ClassVar[About] = About(
        identity="message: channel and `ts`; slash command: `trigger_id`",
        firing="report: a message in the source's `channels`, a slash command. Answers: the buttons *Acknowledge* and "
        "*Resolve* under stormfold's own pages",
        resolved="never by Slack: people resolve, or `repeat_interval` has it go stale",
        observed="message `ts`, command arrival",
        severity="a first word P1 to P5 or sev1 to sev5, else missing",
        proof="`slack`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An event in its envelope, the handshake, a slash command's fields, or an interaction."""
        del headers
        if not isinstance(body, dict):
            return False
        kind = body.get("type")
        if kind == "event_callback":
            return isinstance(body.get("event"), dict) and ("api_app_id" in body or "team_id" in body)
        if kind == _ASKED:
            return "challenge" in body
        if kind == "block_actions" or (isinstance(kind, str) and kind in _INTERACTIONS):
            return "trigger_id" in body and isinstance(body.get("user"), dict)
        command = body.get("command")
        return isinstance(command, str) and command.startswith("/") and "trigger_id" in body and "team_id" in body

    def handshake(self, body: bytes, headers: Mapping[str, str]) -> Handshake | None:
        """The challenge of a new address is echoed; the check of its certificate is answered with nothing."""
        if b"ssl_check=" not in body and _ASKED.encode() not in body:
            return None
        try:
            asked = _read(body, headers)
        except NotUnderstood:
            return None
        if asked.get("ssl_check") == "1":
            return Handshake(Reply(200, b"", b""))
        challenge = asked.get("challenge")
        if asked.get("type") != _ASKED or not isinstance(challenge, str) or not challenge.isascii():
            return None
        if len(challenge) > _MAX_CHALLENGE:
            return None
        return Handshake(Reply(200, msgspec.json.encode({"challenge": challenge})))

    def parse(self, message: Message) -> Parsed:
        body = _read(message.body, message.headers)
        kind = body.get("type")
        if kind == _ASKED or body.get("ssl_check") == "1":
            return finish(Parsed(Outcome.HANDSHAKE), "Slack asks whether this address is ours; the gateway answers it")
        parsed, notes = Parsed(Outcome.IGNORED), list[str]()
        if kind == "event_callback":
            attempt(parsed, 0, partial(from_event, message, body, parsed, notes))
        elif kind == "block_actions":
            for index, action in enumerate(as_list(body.get("actions"), "actions")):
                attempt(parsed, index, partial(_pressed, message, body, action, parsed, notes))
        elif isinstance(body.get("command"), str):
            attempt(parsed, 0, partial(_command, message, body, parsed))
        elif kind == "app_rate_limited":
            notes.append("Slack held events back, because there were too many of them in an hour")
        elif isinstance(kind, str) and kind in _INTERACTIONS:
            notes.append(f"{kind}: this is no button of stormfold's")
        else:
            raise _neither(body)
        return finish(parsed, "; ".join(notes[:5]))


def _neither(body: dict[str, Any]) -> NotUnderstood:
    if any(field in body for field in _AS_POSTED):
        return NotUnderstood(
            Reason.WRONG_TYPE,
            "this is a message as programs post it to an incoming webhook of Slack, not what Slack sends; have the "
            "program post to a source of its own instead",
        )
    return NotUnderstood(
        Reason.MISSING_FIELD, "this is neither an event of Slack (type event_callback), a slash command, nor a button"
    )


def _read(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """The body as an object: JSON, the fields of a form, or the JSON in a form's field `payload`."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM and not _FIELDS.match(body):
        return as_object(decode(body), "the body")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise NotUnderstood(Reason.BAD_ENCODING, f"the form is not UTF-8: {error.reason}") from error
    except ValueError as error:
        raise NotUnderstood(Reason.TOO_LARGE, f"the form has over {_MAX_FIELDS} fields") from error
    fields: dict[str, Any] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    if "payload" in fields:
        return as_object(decode(fields["payload"].encode()), "payload")
    return fields


def _command(message: Message, body: dict[str, Any], parsed: Parsed) -> None:
    """A slash command: the text behind it is the report."""
    trigger = text_at(body, "trigger_id")
    if not trigger:
        raise NotUnderstood(Reason.MISSING_IDENTITY, "trigger_id is missing, by which to know the command again")
    text, user = shown(text_at(body, "text")), said(body, "user_name") or said(body, "user_id")
    severity, rest = severity_in(text, message.config, parsed)
    service = service_of(text)
    labels = {
        "channel": said(body, "channel_id"),
        "channel_name": said(body, "channel_name"),
        "team": said(body, "team_id"),
        "user": said(body, "user_id"),
        "user_name": said(body, "user_name"),
        "command": said(body, "command"),
        "service": service,
    }
    add_alert(
        message,
        parsed,
        0,
        identity={"trigger": trigger},
        name=headline(rest) or f"{said(body, 'command')} by {user or 'somebody'}",
        status=Status.FIRING,
        severity=severity,
        labels=labels,
        kind=Kind.REPORT,
        service=service or None,
        description=text,
        valid_for=valid_for(message.config),
    )


def _pressed(message: Message, body: dict[str, Any], found: Any, parsed: Parsed, notes: list[str]) -> None:
    """One button that a person pressed."""
    action = as_object(found, "an action")
    pressed = said(action, "action_id")
    verb = _VERBS.get(pressed)
    if verb is None:
        notes.append(f"{pressed[:60] or 'an element without action_id'}: this is no button of stormfold's")
        return
    value, user = text_at(action, "value"), body.get("user")
    who = said(user, "username") or said(user, "name") or said(user, "id")
    click = [said(body, "trigger_id"), said(action, "action_ts"), said(user, "id"), pressed, value]
    place = ".".join(str(part) for part in message.origin)
    name = digest(["slack", *click]).hex() if click[0] or click[1] else place
    add_answer(message, parsed, verb, name=name, by=who, key=value)
    notes.append(f"{verb} by {who[:80] or 'somebody'} of {value[:80]}")
