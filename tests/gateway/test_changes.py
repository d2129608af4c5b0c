"""What changed, as the API tells it: the list, and what an incident may have to do with."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.model.alert import Origin, Severity, Stamp
from kernel.model.change import Change, ChangeOutcome
from kernel.model.codec import encode
from kernel.model.state import Facts, KnownChange, Member, MemberState
from tests.gateway.conftest import Running
from tests.gateway.test_api import FINGERPRINT, NOON, ask, incident, put

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
MINUTE = 60_000
HOUR = 60 * MINUTE


async def keep(running: Running, shard: int, name: str, when: int, first: int | None = None, **fields: Any) -> None:
    """What a correlator would have kept."""
    change = Change(
        source="github",
        fingerprint=name.ljust(32, "-"),
        what="deployment",
        name=name,
        outcome=ChangeOutcome.SUCCEEDED,
        when=when,
        received_at=when,
        origin=Origin("0" * 32, 0, 0, 0),
        **fields,
    )
    known = KnownChange(change, when if first is None else first)
    key = running.context.keys.correlator(shard, "changes")
    await running.context.store.hset(key, {change.fingerprint: encode(known)})


async def names(running: Running, query: str = "") -> list[str]:
    status, said = await ask(running, "GET", f"/api/v1/changes{query}")
    assert (status, said["lost_shards"], said["error"]) == (200, [], None)
    return [row["name"] for row in said["changes"]]


async def test_the_list_is_newest_first_and_filtered(running: Running) -> None:
    await put(running)
    await keep(running, 0, "old", NOON - 5 * HOUR, service="shop")
    await keep(running, 1, "new", NOON, service="shop", who="ann", revision="abc123", link="https://git.example/c/1")
    await keep(running, 3, "other", NOON - HOUR, service="cart", where="prod")
    assert await names(running) == ["new", "other", "old"]
    assert await names(running, "?service=shop") == ["new", "old"]
    assert await names(running, "?since=2025-11-23T02:00:00Z&limit=1") == ["new"]
    assert await names(running, "?since=2025-11-23T02:00:00Z") == ["new", "other"]
    assert await names(running, "?since=1h") == []
    _, said = await ask(running, "GET", "/api/v1/changes?limit=1")
    (row,) = said["changes"]
    assert (row["who"], row["revision"], row["link"]) == ("ann", "abc123", "https://git.example/c/1")
    assert (row["at"], row["outcome"], row["where"]) == ("2025-11-23T04:00:00Z", "succeeded", None)
    for wrong in ("since=yesterday", "limit=0"):
        status, said = await ask(running, "GET", f"/api/v1/changes?{wrong}")
        assert (status, wrong.split("=", maxsplit=1)[0] in said["error"]) == (400, True)


async def test_lost_shards_are_said_beside_the_others(running: Running) -> None:
    status, said = await ask(running, "GET", "/api/v1/changes")
    assert (status, "no correlator has ever run" in said["error"]) == (503, True)
    await put(running, claimed=range(3))
    await keep(running, 0, "a", NOON)
    status, said = await ask(running, "GET", "/api/v1/changes")
    assert (status, said["lost_shards"], len(said["changes"])) == (503, ["s03"], 1)


async def test_an_incident_shows_what_began_before_it_for_its_service_or_environment(running: Running) -> None:
    doc = incident(1, 9)
    await put(running, doc)
    store, keys = running.context.store, running.context.keys
    stamp = Stamp(NOON, NOON, 0, 1, 0)
    member = Member(FINGERPRINT, doc.id, MemberState.FIRING, Severity.HIGH, stamp, stamp, NOON)
    facts = Facts(stamp, "prometheus", "ShopDown", service="shop", labels={"env": "Prod"})
    await store.hset(keys.correlator(1, "members"), {FINGERPRINT: encode(member)})
    await store.hset(keys.correlator(1, "facts"), {FINGERPRINT: encode(facts)})
    await keep(running, 1, "same-service", NOON - 10 * MINUTE, service="shop")
    await keep(running, 1, "same-place", NOON - 20 * MINUTE, service="cart", where="prod")
    await keep(running, 1, "ended-later", NOON + 5 * MINUTE, NOON - MINUTE, service="shop")
    await keep(running, 1, "after", NOON + 5 * MINUTE, service="shop")
    await keep(running, 1, "before", NOON - 2 * HOUR - 1, service="shop")
    await keep(running, 1, "elsewhere", NOON - MINUTE, service="cart", where="staging")
    await keep(running, 1, "of-another", NOON - MINUTE, service="shop", tenant="another")
    await keep(running, 0, "of-another-shard", NOON - MINUTE, service="shop")
    _, said = await ask(running, "GET", f"/api/v1/incidents/{doc.id}")
    assert [(row["name"], row["why"]) for row in said["changes"]] == [
        ("ended-later", "the same service, shop"),
        ("same-service", "the same service, shop"),
        ("same-place", "the same environment, prod"),
    ]
