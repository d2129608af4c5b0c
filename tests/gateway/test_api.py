"""The incident API: reading incidents, and answers that go to `answers.raw`."""

import asyncio
import zlib
from typing import Any

import pytest

from ingest.gateway import api
from kernel.model.alert import Origin, Severity, Stamp
from kernel.model.codec import decode_command, encode
from kernel.model.delivery import Action, LedgerKey, Outcome
from kernel.model.incident import Headline, IncidentStatus, Level, Priority, Score, TimelineEntry
from kernel.model.naming import incident_id
from kernel.model.signals import Verb
from kernel.model.state import Facts, IncidentDoc, LedgerEntry, Member, MemberState, NotifierDoc
from tests.gateway.conftest import OPERATOR, Running, Start

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

AUTH = {"authorization": f"Bearer {OPERATOR}"}
NOON = 1_763_870_400_000
FINGERPRINT = "0f" * 16


def incident(shard: int, number: int, **changes: Any) -> IncidentDoc:
    values: dict[str, Any] = {
        "id": incident_id(shard, ["default"], "by-service", ["shop"], Origin("0" * 32, 0, number, 0)),
        "tenant": "default",
        "rule": "by-service",
        "group": {"service": "shop"},
        "group_key": "service=shop",
        "status": IncidentStatus.OPEN,
        "episode": "abcdefgh",
        "title": "shop is down",
        "score": Score(Priority.P2, Level.HIGH, Level.MEDIUM, ("tier 1",), ("severity high",)),
        "reached": Priority.P1,
        "opened_at": NOON,
        "changed_at": NOON + number,
        "cause_arrival": NOON,
        "epoch": 1,
        "revision": 3,
        "sample": [FINGERPRINT],
        "members": 7,
        "firing": 1,
        "handled": 2,
        "count": 40,
        "team": "shop",
        "timeline": [TimelineEntry(NOON, "opened", "first alert")],
        "explanation": {"rule": "first that matches"},
    }
    return IncidentDoc(**(values | changes))


async def put(running: Running, *docs: IncidentDoc, claimed: range = range(4)) -> None:
    """What a correlator would have written."""
    store, keys = running.context.store, running.context.keys
    for shard in claimed:
        await store.hset(keys.correlator(shard, "chain"), {"epoch": "1"})
    for doc in docs:
        shard = int(doc.id[1:3])
        await store.hset(keys.correlator(shard, "incidents"), {doc.id: encode(doc)})


async def ask(running: Running, method: str, path: str, headers: Any = AUTH, **options: Any) -> tuple[int, Any]:
    async with running.http.request(method, running.url + path, headers=headers, **options) as answer:
        assert answer.content_type in ("application/json", "application/vnd.oai.openapi+json")
        return answer.status, await answer.json(content_type=None)


async def test_a_list_is_filtered_and_sorted_by_urgency(running: Running) -> None:
    p1 = incident(3, 1, score=Score(Priority.P1, Level.HIGH, Level.HIGH))
    old, new = incident(0, 2), incident(1, 3, team="net")
    closed = incident(2, 4, status=IncidentStatus.CLOSED, score=p1.score)
    await put(running, closed, old, new, p1)
    status, said = await ask(running, "GET", "/api/v1/incidents")
    assert status == 200
    assert [row["id"] for row in said["incidents"]] == [p1.id, new.id, old.id, closed.id]
    assert said["lost_shards"] == []
    row = said["incidents"][1]
    assert (row["firing"], row["handled"], row["members"], row["alerts"]) == (3, 2, 7, 40)
    assert row["opened_at"] == "2025-11-23T04:00:00Z"
    for query, wanted in {
        "status=open&limit=2": [p1, new],
        "status=closed": [closed],
        "status=closed&status=open&priority=P1": [p1, closed],
        "team=net": [new],
        "team=nobody": [],
    }.items():
        status, said = await ask(running, "GET", f"/api/v1/incidents?{query}")
        assert [row["id"] for row in said["incidents"]] == [doc.id for doc in wanted], query
    for query in ("status=broken", "limit=0", "limit=x", "priority=P9"):
        status, said = await ask(running, "GET", f"/api/v1/incidents?{query}")
        assert status == 400, query
        assert query.split("=", maxsplit=1)[0] in said["error"]


async def test_one_incident_says_what_is_open_and_why(running: Running) -> None:
    doc = incident(1, 9)
    await put(running, doc)
    store, keys = running.context.store, running.context.keys
    stamp = Stamp(NOON + 5, NOON + 6, 0, 1, 0)
    member = Member(FINGERPRINT, doc.id, MemberState.FIRING, Severity.HIGH, stamp, stamp, NOON, 40)
    await store.hset(keys.correlator(1, "members"), {FINGERPRINT: encode(member)})
    await store.hset(
        keys.correlator(1, "facts"), {FINGERPRINT: encode(Facts(stamp, "prometheus", "ShopDown", labels={"a": "b"}))}
    )
    headline = Headline(
        doc.id, "default", doc.status, doc.episode, doc.rule, doc.group, doc.title, Priority.P2, Priority.P1,
        doc.score, NOON, NOON, NOON,
    )  # fmt: skip
    key = LedgerKey(doc.id, doc.episode, Action.PAGE, Priority.P2, 0, "pager")
    told = NotifierDoc(
        doc.id, 1, 1, headline, "shop-oncall", "route 1", [LedgerEntry(key, 1, Outcome.FAILED, reason="410", at=NOON)]
    )
    await store.hset(keys.notifier(1, "incidents"), {doc.id: encode(told)})
    status, said = await ask(running, "GET", f"/api/v1/incidents/{doc.id}")
    assert status == 200
    assert said["score"] == {
        "priority": "P2",
        "reached": "P1",
        "impact": "high",
        "impact_reasons": ["tier 1"],
        "urgency": "medium",
        "urgency_reasons": ["severity high"],
    }
    assert (said["rule"], said["group_key"], said["group"]) == ("by-service", "service=shop", {"service": "shop"})
    assert said["assigned"] == {"name": "shop-oncall", "why": "route 1"}
    assert said["timeline"] == [{"at": "2025-11-23T04:00:00Z", "what": "opened", "why": "first alert"}]
    (shown,) = said["member_alerts"]
    assert (shown["name"], shown["state"], shown["count"], shown["labels"]) == ("ShopDown", "firing", 40, {"a": "b"})
    (delivery,) = said["deliveries"]
    assert (delivery["target"], delivery["outcome"], delivery["reason"]) == ("pager", "failed", "410")


async def test_who_may_not_and_what_is_not_there(running: Running) -> None:
    doc = incident(1, 1)
    unknown = incident(1, 2).id
    await put(running, doc)
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {OPERATOR}"}):
        for method, path in (("GET", ""), ("GET", f"/{doc.id}"), ("POST", f"/{doc.id}/ack")):
            status, said = await ask(running, method, f"/api/v1/incidents{path}", headers)
            assert (status, "operator's token" in said["error"]) == (401, True)
    for name in (unknown, "x", "s99-abcdefghijklmnop", "s01-" + "a" * 400, "%FF"):
        assert (await ask(running, "GET", f"/api/v1/incidents/{name}"))[0] == 404
        assert (await ask(running, "POST", f"/api/v1/incidents/{name}/resolve"))[0] == 404
    assert (await ask(running, "GET", "/api/v1/nothing"))[0] == 404
    assert (await ask(running, "DELETE", f"/api/v1/incidents/{doc.id}"))[0] == 405
    for body in (b"{", b'{"by": 1}', b'{"by": ""}', b'{"other": ""}', b"\xff", b"[]"):
        status, said = await ask(running, "POST", f"/api/v1/incidents/{doc.id}/ack", data=body)
        assert status == 400, body
        assert "by" in said["error"]
    assert (await ask(running, "POST", f"/api/v1/incidents/{doc.id}/ack", data=b" " * 100_000))[0] == 413
    assert await running.records(running.context.topics.answers, 2) == []


async def test_without_an_operator_token_the_api_is_shut(broker: Any, start: Start) -> None:
    running = await start(broker, operator_token=None)
    status, said = await ask(running, "GET", "/api/v1/incidents")
    assert status == 403
    assert "STORMFOLD_OPERATOR_TOKEN" in said["error"]


async def test_a_lost_shard_is_said_and_the_others_are_told(running: Running) -> None:
    status, said = await ask(running, "GET", "/api/v1/incidents")
    assert status == 503
    assert "no correlator has ever run" in said["error"]
    there, lost = incident(0, 1), incident(2, 2)
    assert (await ask(running, "GET", f"/api/v1/incidents/{there.id}"))[0] == 503
    await put(running, there, claimed=range(2))
    status, said = await ask(running, "GET", "/api/v1/incidents")
    assert status == 503
    assert said["lost_shards"] == ["s02", "s03"]
    assert [row["id"] for row in said["incidents"]] == [there.id]
    status, said = await ask(running, "GET", f"/api/v1/incidents/{lost.id}")
    assert status == 503
    assert "s02" in said["error"]
    assert (await ask(running, "POST", f"/api/v1/incidents/{lost.id}/ack"))[0] == 503


async def test_an_answer_goes_to_its_partition_and_returns_with_the_effect(running: Running) -> None:
    doc = incident(1, 1)
    await put(running, doc)
    path = f"/api/v1/incidents/{doc.id}/resolve"
    asked = asyncio.create_task(ask(running, "POST", path, data=b'{"by": "ann", "note": "fixed"}'))
    async with asyncio.timeout(20):
        while not (records := await running.records(running.context.topics.answers, 2)):
            await asyncio.sleep(0.02)
    (record,) = records
    command = decode_command(record.value).command
    assert (command.verb, command.incident, command.by, command.note) == (Verb.RESOLVE, doc.id, "ann", "fixed")
    assert (record.key, record.headers) == (doc.id.encode(), (("source", b"commands"),))
    assert record.partition == zlib.crc32(doc.id.encode()) % 2
    assert not asked.done()
    doc.status, doc.answers, doc.firing, doc.handled = IncidentStatus.RESOLVED, [command.id], 0, 3
    await put(running, doc)
    assert await asked == (200, {"status": "resolved", "firing": 3, "command": command.id})


async def test_an_answer_without_effect_is_queued(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "EFFECT_SECONDS", 0.2)
    doc = incident(1, 1)
    await put(running, doc, incident(1, 2, status=IncidentStatus.CLOSED))
    status, said = await ask(running, "POST", f"/api/v1/incidents/{doc.id}/ack")
    (record,) = await running.records(running.context.topics.answers, 2)
    command = decode_command(record.value).command
    assert (status, said) == (202, {"queued": True, "command": command.id})
    assert (command.verb, command.by) == (Verb.ACKNOWLEDGE, "operator")
    status, said = await ask(running, "POST", f"/api/v1/incidents/{incident(1, 2).id}/ack")
    assert status == 409
    assert "closed" in said["error"]


async def test_the_rest_of_the_server(running: Running) -> None:
    status, schema = await ask(running, "GET", "/schema/openapi.json", {})
    assert status == 200
    assert set(schema["paths"]) == {
        "/api/v1/changes",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident}",
        "/api/v1/incidents/{incident}/ack",
        "/api/v1/incidents/{incident}/note",
        "/api/v1/incidents/{incident}/resolve",
    }
    assert (await ask(running, "GET", "/readyz", {}))[0] == 200
    assert (await ask(running, "GET", "/healthz", {}))[0] == 200
    async with running.http.get(running.url + "/metrics") as answer:
        assert "stormfold_door_unacknowledged_bytes" in await answer.text()
    for path in ("/", "/nothing", "/api/v1"):
        status, said = await ask(running, "GET", path, {})
        assert (status, "openapi.json" in said["error"]) == (404, True), path
