"""Opsgenie's alert API as a drop-in: its answers, by the vendor's own description, and what goes where."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from yarl import URL

from ingest.gateway.dropin.request_ids import new_id, read_id
from tests.gateway.conftest import GENIE_KEY, Running

EMBEDDED = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
ALIAS = "checkout/5xx #1 é"
QUOTED = "checkout%2F5xx%20%231%20%C3%A9"
BY_ALIAS = f"/v2/alerts/{QUOTED}/{{}}?identifierType=alias"
CREATE = {"message": "checkout 5xx", "alias": ALIAS, "priority": "P1", "tags": ["team:shop"], "entity": "checkout"}
REQUESTS: list[tuple[str, str, str, dict[str, Any] | None, dict[str, Any]]] = [
    (
        "post",
        "/v2/alerts/{identifier}/acknowledge",
        "acknowledge",
        {"user": "Ana", "note": "on it"},
        {"action": "Acknowledge", "user": "Ana", "note": "on it"},
    ),
    ("post", "/v2/alerts/{identifier}/unacknowledge", "unacknowledge", {}, {"action": "UnAcknowledge"}),
    (
        "post",
        "/v2/alerts/{identifier}/notes",
        "notes",
        {"note": "rolled back"},
        {"action": "AddNote", "note": "rolled back"},
    ),
    ("post", "/v2/alerts/{identifier}/close", "close", {"source": "ci"}, {"action": "Close", "source": "ci"}),
    ("post", "/v2/alerts/{identifier}/close", "close", None, {"action": "Close"}),
    ("put", "/v2/alerts/{identifier}/message", "message", {"message": "5xx"}, {"action": "UpdateMessage"}),
    (
        "put",
        "/v2/alerts/{identifier}/description",
        "description",
        {"description": "long"},
        {"action": "UpdateDescription"},
    ),
    (
        "put",
        "/v2/alerts/{identifier}/priority",
        "priority",
        {"priority": "P2"},
        {"action": "AddNote", "note": "the priority was set to P2"},
    ),
]
TO_ANSWERS = {"acknowledge", "unacknowledge", "notes", "priority"}


async def ask(
    running: Running, method: str, path: str, body: Any = None, key: str | None = f"GenieKey {GENIE_KEY}"
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, answer and headers of a request; a body that is not bytes is JSON."""
    headers = {"content-type": "application/json"} | ({"authorization": key} if key is not None else {})
    data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
    url = URL(running.url + path, encoded=True)
    async with running.http.request(method, url, data=data, headers=headers) as answer:
        return answer.status, await answer.json(), {name.lower(): value for name, value in answer.headers.items()}


@pytest.fixture(scope="module")
def described(corpus: Path) -> dict[str, Any]:
    """The vendor's description of the API."""
    found: dict[str, Any] = json.loads((corpus / "specs" / "opsgenie.swagger2.json").read_text())
    return found


def schema_of(described: dict[str, Any], method: str, path: str, status: int | None) -> dict[str, Any]:
    """The schema of a request's body, or of the answer with this status."""
    operation = described["paths"][path][method]
    if status is None:
        (body,) = [part for part in operation["parameters"] if part.get("in") == "body"]
        schema = body["schema"]
    else:
        answer = operation["responses"][str(status)]
        if "$ref" in answer:
            answer = described["responses"][answer["$ref"].rsplit("/", 1)[1]]
        schema = answer["schema"]
    return {**schema, "definitions": described["definitions"]}


def fits(described: dict[str, Any], method: str, path: str, status: int | None, value: Any) -> None:
    """Raises where the vendor's description says otherwise."""
    validator = jsonschema_rs.Draft4Validator(schema_of(described, method, path, status))
    validator.validate(value)


@EMBEDDED
async def test_what_goes_where(running: Running) -> None:
    status, said, headers = await ask(running, "post", "/v2/alerts", CREATE)
    assert (status, said["result"], headers["x-request-id"]) == (202, "Request will be processed", said["requestId"])
    assert isinstance(said["took"], float)
    for prefix in ("", "/jsm/ops/integration"):
        for method, _, last, body, _ in REQUESTS:
            status, said, _ = await ask(running, method, prefix + BY_ALIAS.format(last), body)
            assert (status, said.get("result")) == (202, "Request will be processed"), said
    alerts = [json.loads(record.value) for record in await running.alerts()]
    answers = [json.loads(record.value) for record in await running.records(running.context.topics.answers, 2)]
    assert alerts.count(CREATE) == 1
    for _, _, last, body, wanted in REQUESTS:
        where = answers if last in TO_ANSWERS else alerts
        alert = {"alias": ALIAS} | ({last: body[last]} if body and last in ("message", "description") else {})
        forwarded = [{name: row[name] for name in row if name != "requestId"} for row in where]
        assert wanted | {"alert": alert} in forwarded, last
    # In one partition each, a source's answers stay in their order.
    order = [row["action"] for row in answers[: len(answers) // 2]]
    assert order == ["Acknowledge", "UnAcknowledge", "AddNote", "AddNote"]
    assert GENIE_KEY not in json.dumps([alerts, answers])


@EMBEDDED
async def test_requests_and_answers_are_as_the_vendor_describes_them(
    running: Running, described: dict[str, Any]
) -> None:
    fits(described, "post", "/v2/alerts", None, CREATE)
    status, said, _ = await ask(running, "post", "/v2/alerts", CREATE)
    fits(described, "post", "/v2/alerts", status, said)
    for method, path, last, body, _ in REQUESTS:
        if body is not None:
            fits(described, method, path, None, body)
        status, answer, _ = await ask(running, method, BY_ALIAS.format(last), body)
        fits(described, method, path, status, answer)
    request = said["requestId"]
    status, answer, _ = await ask(running, "get", f"/v2/alerts/requests/{request}")
    assert status == 200
    fits(described, "get", "/v2/alerts/requests/{requestId}", status, answer)
    for status, answer, _ in [
        await ask(running, "post", "/v2/alerts", b"{"),
        await ask(running, "post", "/v2/alerts", CREATE, key="GenieKey wrong"),
        await ask(running, "post", "/v2/alerts", {}),
        await ask(running, "get", "/v2/alerts"),
    ]:
        method, path = ("get", "/v2/alerts") if status == 403 else ("post", "/v2/alerts")
        fits(described, method, path, status, answer)


@EMBEDDED
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason", "telling"),
    [
        ("post", "/v2/alerts", b"{", 400, "not_json", "not JSON"),
        ("post", "/v2/alerts", b"[]", 422, "invalid_request", "body"),
        ("post", "/v2/alerts", None, 422, "invalid_request", "message"),
        ("post", "/v2/alerts", {"message": " "}, 422, "invalid_request", "message"),
        ("post", "/v2/alerts", {"message": "m" * 131}, 422, "invalid_request", "message"),
        ("post", "/v2/alerts", {"message": "m", "alias": "a" * 513}, 422, "invalid_request", "alias"),
        ("post", "/v2/alerts", {"message": "m", "priority": "high"}, 422, "invalid_request", "P1, P2, P3, P4, P5"),
        ("post", "/v2/alerts/1/close", None, 404, "identifier", "identifierType=alias"),
        ("post", "/v2/alerts/1/close?identifierType=tiny", None, 404, "identifier", "identifierType=alias"),
        ("post", "/v2/alerts/1/close?identifierType=name", None, 422, "invalid_request", "alias"),
        ("post", "/v2/alerts/%20/close?identifierType=alias", None, 422, "invalid_request", "identifier"),
        ("post", "/v2/alerts/%FF/close?identifierType=alias", None, 422, "invalid_request", "UTF-8"),
        ("post", "/v2/alerts/a/notes?identifierType=alias", {}, 422, "invalid_request", "note"),
        ("post", "/v2/alerts/a/close?identifierType=alias", {"user": 7}, 422, "invalid_request", "user"),
        ("put", "/v2/alerts/a/priority?identifierType=alias", {"priority": "P9"}, 422, "invalid_request", "P5"),
        ("put", "/v2/alerts/a/message?identifierType=alias", {}, 422, "invalid_request", "message"),
        ("post", "/v2/alerts/a/snooze?identifierType=alias", {}, 403, "unsupported", "not supported"),
        ("delete", "/v2/alerts/a?identifierType=alias", None, 403, "unsupported", "not supported"),
        ("get", "/v2/alerts", None, 403, "unsupported", "not supported"),
        ("get", "/v2/alerts/requests/nobody", None, 404, "identifier", "no request"),
    ],
)
async def test_what_is_refused_as_the_vendor_refuses_it(
    running: Running, method: str, path: str, body: Any, status: int, reason: str, telling: str
) -> None:
    got, said, _ = await ask(running, method, path, body)
    assert got == status, said
    assert telling in json.dumps(said)
    assert {"took", "requestId", "message"} <= set(said)
    assert running.metric("stormfold_door_refused_total", source="genie", reason=reason) == 1
    assert await running.alerts() == []


@EMBEDDED
@pytest.mark.parametrize("key", [None, "GenieKey ", "GenieKey x", f"Bearer {GENIE_KEY}", GENIE_KEY])
async def test_who_has_no_key_is_told_as_the_vendor_tells(running: Running, key: str | None) -> None:
    status, said, _ = await ask(running, "post", "/v2/alerts", CREATE, key)
    assert (status, said["message"]) == (401, "Could not authenticate")
    assert running.metric("stormfold_door_refused_total", source="other", reason="unauthorised") == 1
    assert await running.alerts() == []


@EMBEDDED
async def test_a_path_that_is_not_the_alerts(running: Running) -> None:
    for path in ("/v2/heartbeats", "/v2/alertsx", "/jsm/ops/integration/v2/teams"):
        status, said, _ = await ask(running, "post", path, {})
        assert (status, set(said)) == (404, {"message", "took", "requestId"})


@EMBEDDED
async def test_an_alert_without_alias_has_its_requests_id(running: Running) -> None:
    body = b'{"message": "m", "details": {"n": "1.10"}, "alias": ""}'
    status, said, _ = await ask(running, "post", "/v2/alerts", body)
    assert status == 202
    (record,) = await running.alerts()
    assert json.loads(record.value) == {"message": "m", "details": {"n": "1.10"}, "alias": said["requestId"]}
    status, told, _ = await ask(running, "get", f"/v2/alerts/requests/{said['requestId']}")
    assert (status, told["data"]["alias"], told["data"]["action"]) == (200, said["requestId"], "Create")
    assert told["data"]["isSuccess"]


def test_a_requests_id_is_read_only_with_its_key() -> None:
    made = new_id(b"key", 5, 1_700_000_000_123)
    assert read_id(b"key", made) == (5, 1_700_000_000_123)
    assert read_id(b"key", made.upper()) == (5, 1_700_000_000_123)
    assert read_id(b"other", made) is None
    assert read_id(b"key", made[:-1] + ("0" if made[-1] != "0" else "1")) is None
    assert new_id(b"key", 5, 1_700_000_000_123) != made
    assert made[14] == "8"
