"""Opsgenie's alert API, which Jira Service Management has too: create, and acknowledge, close and note by alias.

Paths, bodies and answers: the vendor's own description (opsgenie/opsgenie-oas, swagger.json) and its documentation
(docs.opsgenie.com: alert-api, response). What is created and closed goes to the alerts, what people answer to the
answers. stormfold gives alerts no ids of Opsgenie's kind, so an alert is named by its alias; one that is created
without has the id of that request as its alias. An update of message or description goes on and changes nothing: the
next create of that alias brings both. One of the priority becomes a note, because nothing else of the alert is in it.
"""

from __future__ import annotations

import uuid
from typing import Any, Final
from urllib.parse import parse_qs, unquote_to_bytes

import orjson

from ingest.gateway.dropin.request_ids import new_id, read_id
from ingest.gateway.dropin.rewrite import with_fields
from ingest.gateway.intake import Head, Intake, checked
from ingest.gateway.replies import BACK_PRESSURE, JSON, RETRY_AFTER, Gone, Pairs, Refused, Tally, answer
from ingest.gateway.sources import Source, Sources
from kernel.clock import Clock, rfc3339
from kernel.telemetry.http import Receive, Scope, Send

ADAPTER: Final = "opsgenie"
MAX_ALIAS: Final = 512
MAX_MESSAGE: Final = 130

_JSM: Final = "/jsm/ops/integration"
_ALERTS: Final = "/v2/alerts"
_PRIORITIES: Final = ("P1", "P2", "P3", "P4", "P5")
_CREATE, _CREATE_WITHOUT = "Create", "CreateWithoutAlias"
_NOTE, _PRIORITY = "AddNote", "UpdatePriority"
_ANSWERS: Final = {"acknowledge": "Acknowledge", "unacknowledge": "UnAcknowledge", "notes": _NOTE}
_UPDATES: Final = {"message": "UpdateMessage", "description": "UpdateDescription", "priority": _PRIORITY}
_CLOSE: Final = {"close": "Close"}
_BY_POST: Final = {**_ANSWERS, **_CLOSE}
# The place is the code of an action in a request's id: new ones go to the end.
_ACTIONS: Final = (_CREATE, _CREATE_WITHOUT, *_ANSWERS.values(), *_CLOSE.values(), *_UPDATES.values())
_UNSUPPORTED: Final = 40302
_NOBODY: Final = ""
_THROTTLED: Final[Pairs] = (
    (b"x-ratelimit-state", b"THROTTLED"),
    (b"x-ratelimit-reason", b"INTEGRATION"),
    (b"x-ratelimit-period-in-sec", RETRY_AFTER.encode()),
)


class NotProcessable(Refused):
    """What the vendor refuses with 422, by field."""

    def __init__(self, **errors: str) -> None:
        super().__init__(422, "invalid_request", "Request body is not processable. Please check the errors.")
        self.errors = errors


class _Asked:
    """One request: the way through its path, whose key it has, and its body."""

    __slots__ = ("key", "method", "parts", "plain", "query", "source")

    def __init__(self, scope: Scope) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").removeprefix(_JSM).rstrip("/") + "/"
        # Split before decoding: an alias may hold a slash.
        parts = path.removeprefix(_ALERTS).split("/")[1:-1]
        self.parts = parts if path.startswith(f"{_ALERTS}/") else None
        self.method: str = scope["method"]
        self.query = parse_qs(scope["query_string"].decode("latin-1"))
        self.source: Source | None = None
        self.key = b""
        self.plain = b""

    def fields(self) -> dict[str, Any]:
        """The body as an object; none at all is an empty one."""
        found = orjson.loads(self.plain) if self.plain else {}
        if not isinstance(found, dict):
            raise NotProcessable(body="should be a JSON object")
        return found


class OpsgenieDoor:
    """All paths of the API that make sense of an alert by its alias."""

    def __init__(self, sources: Sources, intake: Intake, tally: Tally, clock: Clock) -> None:
        self._sources = sources
        self._intake = intake
        self._tally = tally
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started = self._clock.monotonic()
        asked = _Asked(scope)
        try:
            status, request, said = await self._serve(asked, Head(scope["headers"]), receive)
        except Refused as refused:
            status, request, said = _refusal(refused)
            self._tally.refused(asked.source.name if asked.source else _NOBODY, refused)
            headers = JSON + refused.headers
        except Gone:
            self._tally.gone(asked.source.name if asked.source else _NOBODY)
            return
        else:
            self._tally.answered(asked.source.name if asked.source else _NOBODY, status)
            headers = (*JSON, (b"x-ratelimit-state", b"OK"))
        said |= {"took": round(self._clock.monotonic() - started, 3), "requestId": request}
        await answer(send, status, orjson.dumps(said), (*headers, (b"x-request-id", request.encode())))

    async def _serve(self, asked: _Asked, head: Head, receive: Receive) -> tuple[int, str, dict[str, Any]]:
        if asked.parts is None:
            raise Refused(404, "unknown_path", "Resource or handler not found; here are the alerts, under /v2/alerts")
        source = self._admit(asked, head)
        if asked.method == "GET" and len(asked.parts) == 2 and asked.parts[0] == "requests":
            return 200, str(uuid.uuid4()), _status(asked)
        action = _action(asked)
        body = await self._intake.read(head, receive, source.reading)
        if body:
            asked.plain = await checked(body, head.packed)
        if action == _CREATE and not _alias_of_new(asked):
            action = _CREATE_WITHOUT
        request = new_id(asked.key, _ACTIONS.index(action), self._clock.now_ms())
        if action == _CREATE:
            forwarded = asked.plain
        elif action == _CREATE_WITHOUT:
            forwarded = with_fields(asked.plain, {"alias": request})
        else:
            forwarded = _acted(asked, action, request)
        way = source.answers if action == _PRIORITY or action in _ANSWERS.values() else source.alerts
        await way.forward(forwarded, source.plain)
        return 202, request, {"result": "Request will be processed"}

    def _admit(self, asked: _Asked, head: Head) -> Source:
        scheme, _, key = head.authorization.strip().partition(b" ")
        if scheme.lower() == b"geniekey":
            asked.key = key.strip()
            asked.source = self._sources.by_key(ADAPTER, asked.key)
        if asked.source is None:
            raise Refused(401, "unauthorised", "Could not authenticate")
        return asked.source


def _action(asked: _Asked) -> str:
    """The action that method and path ask for. Raises Refused for what stormfold does not do."""
    parts = asked.parts or []
    if not parts and asked.method == "POST":
        return _CREATE
    by_path = {"POST": _BY_POST, "PUT": _UPDATES}.get(asked.method, {})
    if len(parts) == 2 and parts[1] in by_path:
        return by_path[parts[1]]
    sentence = (
        "this request is not supported by stormfold, which takes: create, acknowledge, unacknowledge, close and notes, "
        "and updates of message, description and priority"
    )
    raise Refused(403, "unsupported", sentence, code=_UNSUPPORTED)


def _alias_of_new(asked: _Asked) -> str:
    """The alias of a create, empty where it has none. Raises NotProcessable for what the vendor refuses."""
    fields = asked.fields()
    errors: dict[str, str] = {}
    message, alias, priority = fields.get("message"), fields.get("alias"), fields.get("priority")
    if not isinstance(message, str) or not message.strip():
        errors["message"] = "may not be empty"
    elif len(message) > MAX_MESSAGE:
        errors["message"] = f"length must be between 1 and {MAX_MESSAGE}"
    if alias is not None and (not isinstance(alias, str) or len(alias) > MAX_ALIAS):
        errors["alias"] = f"should be text of at most {MAX_ALIAS} characters"
    _check_priority(priority, errors)
    if errors:
        raise NotProcessable(**errors)
    return str(alias or "").strip()


def _check_priority(priority: Any, errors: dict[str, str]) -> None:
    if priority is not None and priority not in _PRIORITIES:
        errors["priority"] = f"should be one of [ {', '.join(_PRIORITIES)} ]"


def _acted(asked: _Asked, action: str, request: str) -> bytes:
    """An action on an alert in the form of Opsgenie's webhook, which the adapter reads."""
    alert: dict[str, Any] = {"alias": _alias(asked)}
    said: dict[str, Any] = {"action": action, "alert": alert, "requestId": request}
    fields, errors = asked.fields(), dict[str, str]()
    for name in ("note", "user", "source"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            errors[name] = "should be text"
        elif value:
            said[name] = value
    if action == _NOTE and not str(fields.get("note") or "").strip():
        errors["note"] = "may not be empty"
    for name, update in _UPDATES.items():
        if action == update:
            value = fields.get(name)
            if not isinstance(value, str) or not value.strip():
                errors[name] = "may not be empty"
            alert[name] = value
    _check_priority(alert.get("priority"), errors)
    if errors:
        raise NotProcessable(**errors)
    if action == _PRIORITY:
        said |= {"action": _NOTE, "note": f"the priority was set to {alert.pop('priority')}"}
    return orjson.dumps(said)


def _alias(asked: _Asked) -> str:
    kind = asked.query.get("identifierType", ["id"])[-1]
    if kind in ("id", "tiny"):
        sentence = (
            f"there is no alert of that {kind}: stormfold knows alerts by their alias alone; send the alias, and "
            "identifierType=alias behind it"
        )
        raise Refused(404, "identifier", sentence)
    if kind != "alias":
        raise NotProcessable(identifierType="should be alias")
    assert asked.parts
    try:
        alias = unquote_to_bytes(asked.parts[0].encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise NotProcessable(identifier="should be UTF-8, encoded for an address") from None
    if not alias.strip() or len(alias) > MAX_ALIAS:
        raise NotProcessable(identifier=f"should be an alias of 1 to {MAX_ALIAS} characters")
    return alias


def _status(asked: _Asked) -> dict[str, Any]:
    """What became of a request: an id was given out only for what Kafka has."""
    assert asked.parts
    request = asked.parts[1]
    found = read_id(asked.key, request)
    if found is None or found[0] >= len(_ACTIONS):
        raise Refused(404, "identifier", "there is no request of this id that was sent with this key")
    action, at = _ACTIONS[found[0]], found[1]
    data = {
        "success": True,
        "isSuccess": True,
        "action": _CREATE if action == _CREATE_WITHOUT else action,
        "processedAt": rfc3339(at),
        "status": "Taken: it is in the topic of alerts or answers and will be processed",
    }
    if action == _CREATE_WITHOUT:
        data["alias"] = str(uuid.UUID(request))
    return {"data": data}


def _refusal(refused: Refused) -> tuple[int, str, dict[str, Any]]:
    """Status, request id and body as the vendor has them."""
    said: dict[str, Any] = {"message": refused.sentence}
    if isinstance(refused, NotProcessable):
        said["errors"] = refused.errors
    elif refused.reason in BACK_PRESSURE:
        refused.status = 429
        refused.headers += _THROTTLED
        said["message"] = f"You are making too many requests! {refused.sentence}"
    if refused.code != refused.status and refused.code > 1_000:
        said["code"] = refused.code
    return refused.status, str(uuid.uuid4()), said
