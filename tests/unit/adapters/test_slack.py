"""Slack: messages and commands as reports, buttons as answers, and nothing of stormfold's own as either."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.registry import ADAPTERS, detect
from ingest.adapters.slack_messages import OWN_MARK
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Kind, Severity, Status
from kernel.model.naming import fingerprint
from kernel.model.signals import Verb
from notifier.channels.slack import EVENT_TYPE
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, message, only, parse, parse_sample, sample

SLACK = ADAPTERS["slack"]
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
INCIDENT, EPISODE = "s03-abcdefghij234567", "abcd2345"
KEY = f"{INCIDENT}#{EPISODE}"
POSTED = {"channel": "#alerts", "username": "probe", "attachments": [{"title": "down"}]}
REPORT = fingerprint("default", "slack", {"channel": "C0REPORT1", "ts": "1772439300.000200"})


def _message(**event: Any) -> dict[str, Any]:
    """The sample of a message with other fields in its event; None takes one out."""
    body: dict[str, Any] = sample("slack/message")
    body["event"] = {key: value for key, value in {**body["event"], **event}.items() if value is not None}
    return body


def _form(body: bytes, headers: dict[str, str] | None = None) -> Parsed:
    return SLACK.parse(msgspec.structs.replace(message(body, "slack"), headers=FORM if headers is None else headers))


def _ignored(body: Any, config: SourceConfig | None = None) -> str:
    parsed = parse(body, "slack", config=config)
    assert (parsed.outcome, parsed.alerts, parsed.commands) == (Outcome.IGNORED, [], [])
    return parsed.reason


# --- messages


def test_a_message_is_a_report() -> None:
    parsed = parse_sample("slack/message")
    assert (parsed.outcome, parsed.reason) == (Outcome.REPORT, "")
    alert = only(parsed)
    assert (alert.fingerprint, alert.kind, alert.status) == (REPORT, Kind.REPORT, Status.FIRING)
    assert alert.name == "basket is empty after login, see the page service:basket"
    assert alert.description == "P2 basket is empty after login, see the page service:basket\n<nothing> in it"
    assert (alert.severity, alert.service) == (Severity.HIGH, "basket")
    assert (alert.observed_at, alert.starts_at, alert.valid_for) == (1_772_439_300_000, 1_772_439_300_000, None)
    assert alert.labels == {"channel": "C0REPORT1", "team": "T0TEAM01", "user": "U0ALICE01", "service": "basket"}
    assert [(link.text, link.href) for link in alert.links] == [
        ("message", "https://slack.com/app_redirect?team=T0TEAM01&channel=C0REPORT1&message_ts=1772439300.000200"),
        ("link", "https://status.example.com/basket"),
    ]


def test_the_same_message_comes_again() -> None:
    """A redelivery has another event id, a mention is an event of its own beside the message's."""
    again = {**sample("slack/message"), "event_id": "Ev0000002"}
    mention = only(parse_sample("slack/mention"))
    assert {only(parse(again, "slack")).fingerprint, mention.fingerprint} == {REPORT}
    assert mention.name == "basket is empty"


def test_an_alert_that_another_program_posts_is_a_report() -> None:
    alert = only(parse_sample("slack/bot_alert"))
    assert (alert.name, alert.description) == ("Basket probe failed", "Basket probe failed\n3 of 5 requests")
    assert (alert.labels["bot"], alert.labels["user"]) == ("probe", "B0PROBE01")
    blocks = [{"type": "divider"}, {"type": "section", "text": {"type": "mrkdwn", "text": "*down*"}}]
    assert only(parse(_message(text="", blocks=blocks), "slack")).name == "*down*"
    assert only(parse(_message(text="", files=[{"name": "a.png"}]), "slack")).name == "a.png"
    assert only(parse(_message(text=" ", user=None), "slack")).name == "message of somebody"


def test_only_the_configured_channels() -> None:
    other = SourceConfig(channels=("C0OTHER01",))
    assert _ignored(sample("slack/message"), other) == "the channel C0REPORT1 is none of the source's channels"
    assert only(parse_sample("slack/message", config=SourceConfig(channels=("C0OTHER01", "C0REPORT1"))))


def test_a_report_goes_stale_only_where_that_is_configured() -> None:
    config = SourceConfig(repeat_interval=Duration(3_600_000))
    assert only(parse_sample("slack/message", config=config)).valid_for == 7_800_000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (sample("slack/edited"), "message_changed: this is no new message"),
        (_message(subtype="message_deleted"), "message_deleted: this is no new message"),
        (_message(subtype="channel_join"), "channel_join: this is no new message"),
        (sample("slack/reply"), "a reply in the thread of another message is no new report"),
        (_message(subtype="thread_broadcast"), "a reply in the thread of another message"),
        (sample("slack/reaction"), "reaction_added: this event is no message"),
        ({"type": "app_rate_limited", "team_id": "T1"}, "Slack held events back"),
        (sample("slack/shortcut"), "message_action: this is no button of stormfold's"),
    ],
)
def test_what_is_no_report(body: Any, says: str) -> None:
    assert says in _ignored(body)


def test_the_first_message_of_a_thread_is_a_report() -> None:
    assert only(parse(_message(thread_ts="1772439300.000200"), "slack")).fingerprint == REPORT


# --- no loops


def test_the_mark_is_the_one_that_the_channel_writes() -> None:
    assert OWN_MARK == EVENT_TYPE


@pytest.mark.parametrize(
    ("event", "own_ids", "says"),
    [
        ({"metadata": {"event_type": "stormfold_incident"}}, (), "carries stormfold's own mark"),
        ({"blocks": [{"block_id": "x"}, {"block_id": f"stormfold:{INCIDENT}"}]}, (), "a block of stormfold's own"),
        ({"app_id": "A0STORM01", "bot_id": "B0STORM01"}, (), "the app that listens posted"),
        ({"bot_id": "B0STORM01", "bot_profile": {"app_id": "A0STORM01"}}, (), "the app that listens posted"),
        ({"user": "U0STORM01"}, (), "the app that listens posted"),
        ({"bot_id": "B0OTHER01"}, ("B0OTHER01",), "is of B0OTHER01, one of the source's own_ids"),
        ({"bot_profile": {"id": "B0OTHER01"}}, ("B0OTHER01",), "is of B0OTHER01"),
        ({"app_id": "A0OTHER01"}, ("A0OTHER01",), "is of A0OTHER01"),
        ({"user": "U0OTHER01", "subtype": "message_deleted"}, ("U0OTHER01",), "is of U0OTHER01"),
    ],
)
def test_what_stormfold_posted_is_never_a_report(event: Any, own_ids: tuple[str, ...], says: str) -> None:
    assert says in _ignored(_message(**event), SourceConfig(own_ids=own_ids))


def test_a_person_and_a_stranger_are_not_taken_for_stormfold() -> None:
    person = {**_message(), "authorizations": [{"user_id": "U0ALICE01", "is_bot": False}, "odd"]}
    assert only(parse(person, "slack"))
    nameless = {**_message(user=None, bot_id=""), "api_app_id": "", "authorizations": [{"is_bot": True}]}
    assert only(parse(nameless, "slack"))
    assert only(parse(_message(metadata={"event_type": "deploy"}, blocks=[4, {"block_id": 4}]), "slack"))


def test_a_reply_under_stormfolds_own_message_is_a_note_in_any_channel() -> None:
    config = SourceConfig(channels=("C0REPORT1",))
    parsed = parse_sample("slack/own_reply", config=config)
    (command,) = parsed.commands
    assert parsed.outcome is Outcome.COMMANDS
    assert (command.verb, command.incident, command.episode) == (Verb.NOTE, INCIDENT, EPISODE)
    assert (command.by, command.note, command.tenant) == ("U0ALICE01", "rolled <back>", "default")
    (again,) = parse({**sample("slack/own_reply"), "event_id": "Ev0000009"}, "slack").commands
    assert again.id == command.id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bot_id": "B0PROBE01"}, "a reply of a program"),
        ({"root": {"metadata": {"event_type": "stormfold_incident", "event_payload": {}}}}, "no new report"),
        ({"root": {"metadata": {"event_type": "other"}}}, "no new report"),
        ({"root": None}, "no new report"),
    ],
)
def test_other_replies_are_none(change: Any, says: str) -> None:
    body = sample("slack/own_reply")
    body["event"] |= change
    assert says in _ignored(body)


# --- slash commands


@pytest.mark.parametrize("headers", [FORM, {}])
def test_a_slash_command_is_a_report(headers: dict[str, str]) -> None:
    parsed = _form((SAMPLES / "slack" / "command.form").read_bytes(), headers)
    alert = only(parsed)
    assert parsed.outcome is Outcome.REPORT
    assert alert == only(parse_sample("slack/command"))
    assert alert.fingerprint == fingerprint("default", "slack", {"trigger": "13345224609.738474920.8088930838"})
    # The name is the incident's title, where there is no summary.
    assert (alert.name, alert.summary) == ("nobody can pay service:payments", "")
    assert (alert.severity, alert.service, alert.kind) == (Severity.CRITICAL, "payments", Kind.REPORT)
    assert (alert.observed_at, alert.starts_at) == (ARRIVAL, None)
    assert alert.labels == {
        "channel": "C0GENERAL",
        "channel_name": "general",
        "team": "T0TEAM01",
        "user": "U0BOB0001",
        "user_name": "bob",
        "command": "/incident",
        "service": "payments",
    }
    assert "hooks.slack.com" not in str(alert)


def test_a_command_without_words_is_still_a_report() -> None:
    parsed = parse({**sample("slack/command"), "text": ""}, "slack")
    assert only(parsed).name == "/incident by bob"
    assert parsed.defaults == {Default.SEVERITY_MISSING: 1}


@pytest.mark.parametrize(
    ("text", "severity", "name"),
    [
        ("P1 down", Severity.CRITICAL, "down"),
        ("[p4]: slow", Severity.LOW, "slow"),
        ("Sev-3, slow", Severity.MEDIUM, "slow"),
        ("panic: shop is down", Severity.CRITICAL, "shop is down"),
        ("critical: the shop", Severity.MEDIUM, "critical: the shop"),  # a word that people use, no level
        ("P10 is full", Severity.MEDIUM, "P10 is full"),
        ("the P1 of before", Severity.MEDIUM, "the P1 of before"),
        ("P2", Severity.HIGH, "/incident by bob"),
    ],
)
def test_a_first_word_may_be_the_severity(text: str, severity: Severity, name: str) -> None:
    config = SourceConfig(severities={"panic": Severity.CRITICAL})
    alert = only(parse({**sample("slack/command"), "text": text}, "slack", config=config))
    assert (alert.severity, alert.name) == (severity, name)


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("service:pay is down", "pay"),
        ("pay is down (service:pay)", None),
        ("it is service:pay.", "pay"),
        ("service:pay service:basket", None),
        ("service: pay", None),
    ],
)
def test_service(text: str, service: str | None) -> None:
    assert only(parse({**sample("slack/command"), "text": text}, "slack")).service == service


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("ask <@U0BOB0001> or <@U0BOB0001|bob>", "ask @U0BOB0001 or @bob"),
        ("in <#C0GENERAL|general>", "in #general"),
        ("<!here> <!subteam^S1|@ops>", "@here @ops"),
        ("<https://a.example|there> &amp; <https://b.example>", "there & https://b.example"),
        ("x" * 151, "x" * 149 + "…"),
        ("\n\n first \n second", "first"),
    ],
)
def test_markup_is_shown_as_people_read_it(raw: str, seen: str) -> None:
    assert only(parse(_message(text=raw), "slack")).name == seen


# --- buttons


@pytest.mark.parametrize("headers", [FORM, {}])
def test_a_button_is_an_answer(headers: dict[str, str]) -> None:
    parsed = _form((SAMPLES / "slack" / "pressed.form").read_bytes(), headers)
    (command,) = parsed.commands
    assert (parsed.outcome, parsed.alerts) == (Outcome.COMMANDS, [])
    assert (command.verb, command.incident, command.episode) == (Verb.ACKNOWLEDGE, INCIDENT, EPISODE)
    assert (command.by, command.tenant) == ("bob", "default")
    assert parse_sample("slack/pressed").commands == [command]


def test_two_buttons_and_two_clicks_are_two_answers() -> None:
    body = sample("slack/pressed")
    resolve = {**body["actions"][0], "action_id": "resolve", "action_ts": "1772439331.5"}
    parsed = parse({**body, "actions": [*body["actions"], resolve]}, "slack")
    assert [command.verb for command in parsed.commands] == [Verb.ACKNOWLEDGE, Verb.RESOLVE]
    (later,) = parse({**body, "trigger_id": "9.9.9"}, "slack").commands
    assert len({command.id for command in [*parsed.commands, later]}) == 3


def test_other_buttons() -> None:
    body = sample("slack/pressed")
    assert "snooze: this is no button" in _ignored({**body, "actions": [{"action_id": "snooze", "value": KEY}]})
    parsed = parse({**body, "actions": [{"action_id": "ack", "value": "x"}, *body["actions"]]}, "slack")
    assert [(r.index, r.reason) for r in parsed.refusals] == [(0, Reason.MISSING_IDENTITY)]
    assert len(parsed.commands) == 1


# --- the door


def test_the_challenge_of_a_new_address_is_echoed() -> None:
    raw = (SAMPLES / "slack" / "url_verification.json").read_bytes()
    greeting = SLACK.handshake(raw, {})
    assert greeting is not None
    assert greeting.reply.status == 200
    assert json.loads(greeting.reply.body) == {"challenge": "abcDEF123"}
    assert greeting.confirm == ""
    assert parse(raw, "slack").outcome is Outcome.HANDSHAKE


def test_the_check_of_the_certificate_is_answered() -> None:
    greeting = SLACK.handshake(b"ssl_check=1&token=x", FORM)
    assert greeting is not None
    assert (greeting.reply.status, greeting.reply.body) == (200, b"")
    assert _form(b"ssl_check=1&token=x").outcome is Outcome.HANDSHAKE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"type":"url_verification"}',
        b'{"type":"url_verification","challenge":4}',
        b'{"type":"url_verification","challenge":"\xff"}',
        '{"type":"url_verification","challenge":"ä"}'.encode(),
        json.dumps({"type": "url_verification", "challenge": "x" * 1001}).encode(),
        json.dumps({"type": "event_callback", "event": {"text": "url_verification", "challenge": "x"}}).encode(),
        b"ssl_check=%ff",
    ],
)
def test_nothing_else_is_answered_at_the_door(body: bytes) -> None:
    assert SLACK.handshake(body, {}) is None


def test_what_slack_is_answered() -> None:
    assert SLACK.accepted is not None
    assert SLACK.accepted.status == 200
    assert json.loads(SLACK.accepted.body)["response_type"] == "ephemeral"


# --- what cannot be read


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (_message(ts=None), Reason.MISSING_IDENTITY, "event.channel and event.ts must have a value"),
        (_message(channel=None), Reason.MISSING_IDENTITY, "event.channel and event.ts must have a value"),
        (_message(channel=4), Reason.WRONG_TYPE, "event.channel must be text, got a number"),
        ({"type": "event_callback", "event": []}, Reason.WRONG_TYPE, "event must be an object, got a list"),
        ({"command": "/incident", "text": "x"}, Reason.MISSING_IDENTITY, "trigger_id is missing"),
        ({"command": "/incident", "trigger_id": []}, Reason.WRONG_TYPE, "trigger_id must be text"),
        ({"type": "block_actions", "actions": [4]}, Reason.WRONG_TYPE, "an action must be an object"),
    ],
)
def test_refusals(body: Any, reason: Reason, says: str) -> None:
    parsed = parse(body, "slack")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


@pytest.mark.parametrize("ts", ["soon", "9" * 40, "1.2.3", "-4.0", "0000000000.000000"])
def test_an_absurd_ts_is_arrival(ts: str) -> None:
    assert only(parse(_message(ts=ts, text="P1 x"), "slack")).observed_at == ARRIVAL


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (json.dumps(POSTED).encode(), Reason.WRONG_TYPE, "to an incoming webhook of Slack"),
        (b'{"hello":"world"}', Reason.MISSING_FIELD, "neither an event of Slack"),
        (b"[]", Reason.WRONG_TYPE, "must be an object"),
        (b"payload=%7B", Reason.INVALID_JSON, "payload is not valid JSON|the body is not valid JSON"),
        (b"payload=[]", Reason.WRONG_TYPE, "payload must be an object"),
        (b"text=%ff", Reason.BAD_ENCODING, "the form is not UTF-8"),
        (b"text=\xff", Reason.BAD_ENCODING, "the form is not UTF-8"),
        (urlencode({f"f{n}": n for n in range(101)}).encode(), Reason.TOO_LARGE, "over 100 fields"),
        (b"", Reason.MISSING_FIELD, "neither an event of Slack"),
    ],
)
def test_whole_bodies_that_are_refused(body: bytes, reason: Reason, says: str) -> None:
    form = not body.startswith((b"{", b"["))
    with pytest.raises(NotUnderstood, match=says) as caught:
        _form(body, FORM if form else {})
    assert caught.value.reason is reason


def test_detection() -> None:
    for path in SAMPLES.glob("slack/*.json"):
        found = detect(json.loads(path.read_text()), {})
        assert found is not None
        assert found.name == "slack", path.stem
    assert detect(POSTED, {}) is None
