"""The alert doors: what is refused, and that 2xx means the bytes are on Kafka."""

import asyncio
import base64
import gzip
import io
import json
import os

import pytest

from ingest.gateway.bodies import MAX_BODY
from ingest.gateway.collector import MAX_RECORD
from kernel.config.schema import Config, SourceConfig
from tests.gateway.conftest import TOKEN, Running, raw

JSON = "application/json"
BODIES = [
    b'[{"labels":{"alertname":"A"}}]',
    b'[ {"labels" : {"alertname":"\xc3\xa9 \xe2\x82\xac"}}, 1e5 ]\n',
    b'{"text": "sent as text/plain by SNS"}',
    b"null",
]

REFUSALS: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("GET", "/v1/sources/generic", b"", {}, 405, "method"),
    ("PUT", "/api/v2/alerts", b"[]", {}, 405, "method"),
    ("POST", "/v1/sources/nobody", b"[]", {}, 404, "unknown_source"),
    ("POST", "/v1/sources/", b"[]", {}, 404, "unknown_source"),
    ("POST", "/v1/sources/generic/x", b"[]", {}, 404, "unknown_source"),
    ("POST", "/v1/sources/%FF%00", b"[]", {}, 404, "unknown_source"),
    ("POST", "/v1/sources/guarded", b"[]", {}, 401, "unauthorised"),
    ("POST", "/v1/sources/guarded", b"[]", {"authorization": "Bearer wrong"}, 401, "unauthorised"),
    ("POST", "/v1/sources/guarded", b"[]", {"authorization": "Basic !!"}, 401, "unauthorised"),
    ("POST", "/v1/sources/guarded", b"[]", {"authorization": "Bearer"}, 401, "unauthorised"),
    ("POST", "/v1/sources/generic", b"", {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"[{", {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"\xff\xfe", {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"[" * 100_000, {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"[1] trailing", {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"NaN", {}, 400, "not_json"),
    ("POST", "/v1/sources/generic", b"[]", {"content-encoding": "br"}, 415, "encoding"),
    ("POST", "/v1/sources/generic", b"[]", {"content-encoding": "gzip"}, 400, "not_gzip"),
    ("POST", "/v1/sources/generic", gzip.compress(b"[]")[:-4], {"content-encoding": "gzip"}, 400, "not_gzip"),
    ("POST", "/v1/sources/generic", gzip.compress(b"[]") + b"x", {"content-encoding": "gzip"}, 400, "not_gzip"),
    ("POST", "/v1/sources/generic", gzip.compress(b"[}"), {"content-encoding": "gzip"}, 400, "not_json"),
    (
        "POST",
        "/v1/sources/generic",
        gzip.compress(b" " * MAX_BODY + b"[]"),
        {"content-encoding": "gzip"},
        413,
        "too_large",
    ),
    ("POST", "/v1/sources/generic", b'"' + b"x" * MAX_BODY + b'"', {}, 413, "too_large"),
    ("POST", "/api/v2/alerts", b"[{", {"content-type": JSON}, 400, "not_json"),
    ("POST", "/api/v2/alerts", b"[]", {"content-type": "text/plain"}, 415, "content_type"),
]


async def test_2xx_means_the_bytes_are_in_the_topic_with_their_source(running: Running) -> None:
    for body in BODIES:
        status, answer, _ = await running.post("/v1/sources/generic", body, content_type="text/plain")
        assert (status, json.loads(answer)) == (202, {"status": "accepted"})
    status, answer, headers = await running.post("/api/v2/alerts", BODIES[0], content_type=JSON)
    assert (status, answer, headers["content-length"]) == (200, b"", "0")
    found = await running.alerts()
    assert sorted(record.value for record in found) == sorted([*BODIES, BODIES[0]])
    by_source = {tuple(record.headers) for record in found}
    assert by_source == {(("source", b"generic"),), (("source", b"prometheus"),)}
    assert {record.key for record in found} == {None}
    assert running.metric("stormfold_door_requests_total", source="generic", code="202") == 4
    assert running.metric("stormfold_door_requests_total", source="prometheus", code="200") == 1
    assert running.metric("stormfold_door_unacknowledged_bytes") == 0


async def test_many_requests_at_once_lose_and_double_nothing(running: Running) -> None:
    bodies = [b'{"n":%d}' % n for n in range(600)]

    async def one(body: bytes) -> int:
        return (await running.post("/v1/sources/generic", body))[0]

    statuses = await asyncio.gather(*(one(body) for body in bodies))
    assert set(statuses) == {202}
    found = await running.alerts()
    assert sorted(record.value for record in found) == sorted(bodies)
    # Un-keyed and spread: one partition alone would be a bottleneck of the embedded broker.
    assert len({record.partition for record in found}) > 1


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "reason"),
    REFUSALS,
    ids=[f"{n}-{row[4]}-{row[5]}" for n, row in enumerate(REFUSALS)],
)
@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_refusals(
    running: Running, method: str, path: str, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    async with running.http.request(method, running.url + path, data=io.BytesIO(body), headers=headers) as answer:
        said = await answer.json()
        assert answer.status == status, said
        sentence = said["message"] if path == "/api/v2/alerts" else said["error"]
        assert len(sentence) > 10
        assert "Traceback" not in sentence
        if status == 405:
            assert answer.headers["allow"] == "POST"
        if status == 401:
            assert "Bearer" in answer.headers["www-authenticate"]
    known = {"/api/v2/alerts": "prometheus", "/v1/sources/generic": "generic", "/v1/sources/guarded": "guarded"}
    source = known.get(path, "other")
    assert running.metric("stormfold_door_refused_total", source=source, reason=reason) == 1
    assert await running.alerts() == []


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_syntax_errors_name_line_and_column(running: Running) -> None:
    _, answer, _ = await running.post("/v1/sources/generic", b'{"a": 1,\n "b" 2}')
    assert "line 2 column 6" in json.loads(answer)["error"]
    _, answer, _ = await running.post("/v1/sources/generic", b'{"\xc3\xa9": 1,\n "\xc3\xa9\xff": 2}')
    assert "byte 0xff is not UTF-8: line 2 column 4" in json.loads(answer)["error"]


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_tokens_open_as_bearer_and_as_basic_with_any_user(running: Running) -> None:
    token = TOKEN.encode()
    basic = base64.b64encode(b"any:" + token).decode()
    bearer = b"POST /v1/sources/guarded HTTP/1.1\r\nhost: x\r\nauthorization: bearer " + token
    assert b" 202 " in await raw(running, bearer + b"\r\ncontent-length: 2\r\n\r\n[]")
    assert (await running.post("/v1/sources/guarded", b"[]", authorization=f"Basic {basic}"))[0] == 202
    shut = base64.b64encode(b"any:x" + token).decode()
    assert (await running.post("/v1/sources/guarded", b"[]", authorization=f"Basic {shut}"))[0] == 401


async def test_large_bodies_travel_packed_and_unpack_to_the_same_bytes(running: Running) -> None:
    large = json.dumps([{"labels": {"alertname": f"a{n}"}} for n in range(60_000)]).encode()
    assert MAX_RECORD < len(large) < MAX_BODY
    assert (await running.post("/v1/sources/generic", large))[0] == 202
    small = gzip.compress(b'{"packed": "by the sender"}')
    assert (await running.post("/v1/sources/generic", small, content_encoding="gzip"))[0] == 202
    exact = b'"' + b"x" * (MAX_RECORD - 2) + b'"'
    assert (await running.post("/v1/sources/generic", exact))[0] == 202
    noise = b'"' + base64.b64encode(os.urandom(MAX_RECORD)) + b'"'
    status, answer, _ = await running.post("/v1/sources/generic", noise)
    assert status == 413
    assert "send fewer alerts" in json.loads(answer)["error"]
    found = {len(record.value): record for record in await running.alerts()}
    assert len(found) == 3
    assert found.pop(MAX_RECORD).value == exact
    assert found.pop(len(small)).value == small
    (packed,) = found.values()
    assert gzip.decompress(packed.value) == large
    assert packed.headers == (("source", b"generic"), ("content-encoding", b"gzip"))


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_a_reload_opens_and_shuts_doors(running: Running) -> None:
    assert (await running.post("/v1/sources/late"))[0] == 404
    running.holder["config"] = Config(sources={"late": SourceConfig()})
    assert (await running.post("/v1/sources/late"))[0] == 202
    assert (await running.post("/v1/sources/generic"))[0] == 404
