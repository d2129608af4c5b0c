"""`stormfold dead`: what lies in alerts.dead, shown without secrets and put back where it came from."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from kernel.bus.clients import Bus
from kernel.bus.topics import TopicNames
from kernel.model.alert import Origin
from kernel.model.codec import encode
from kernel.model.naming import incident_id
from kernel.model.signals import CommandBody, CommandEnvelope, Verb
from stormfold.cli import dead
from stormfold.cli.screen import masked, masked_body
from tests.cli.conftest import Shell
from tests.conftest import Broker
from tests.pipeline.harness import DEADLINE, Pipeline, body, firing, pipeline, simple_config


async def put(p: Pipeline, letters: Sequence[tuple[int, dict[str, str], bytes]]) -> None:
    """Write to alerts.dead, as a role does; partition, headers, value."""
    bus = Bus.of(p.settings)
    producer = await bus.start(bus.producer())
    try:
        for partition, headers, value in letters:
            pairs = [(name, text.encode()) for name, text in headers.items()]
            await producer.send_and_wait(p.topics.dead, value, partition=partition, headers=pairs)
    finally:
        await producer.stop()


def letter(source: str = "generic", reason: str = "invalid_json", stage: str = "ingest", **more: str) -> dict[str, str]:
    detail = orjson.dumps([{"index": 0, "reason": reason, "detail": "it ends too early"}]).decode()
    return {"source": source, "reason": reason, "stage": stage, "attempt": "1", "alerts": "1", "detail": detail, **more}


async def until_dead(p: Pipeline, n: int) -> None:
    """Poll until there are `n` dead letters."""
    async with asyncio.timeout(DEADLINE):
        while len(await p.dead()) < n:
            await asyncio.sleep(0.05)


async def raw(p: Pipeline) -> list[Any]:
    return await p._records(p.topics.alerts)


async def test_what_ingest_refused_is_listed_shown_and_replayed(broker: Broker, valkey_url: str, shell: Shell) -> None:
    config = simple_config("http://127.0.0.1:9/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        shell.use(p)
        assert (await shell("dead", "list")).out == "no dead letters\n"
        await p.start("ingest")
        good = firing("Fine", time.time_ns() // 1_000_000, service="checkout")
        bad = {"labels": {}, "annotations": {"token": "hunter2", "note": "see http://joe:hunter2@x/?api_key=hunter2"}}
        await p.send([body(good, bad)])
        await p.send([b"{broken"], source="generic")
        await until_dead(p, 2)
        listed = (await shell("dead", "list", "--json")).json
        assert {(row["source"], row["reason"], row["attempt"]) for row in listed["letters"]} == {
            ("prometheus", "missing_identity", "1"),
            ("generic", "invalid_json", "1"),
        }
        assert all(row["origin"].startswith(f"{p.topics.alerts}/0/") and row["replayable"] for row in listed["letters"])
        (one,) = (await shell("dead", "list", "--source", "prometheus", "--json")).json["letters"]
        people = await shell("dead", "list")
        assert one["id"] in people.out
        assert "missing_identity" in people.out

        shown = await shell("dead", "show", one["id"])
        assert shown.code == 0
        assert "hunter2" not in shown.out
        assert "checkout" in shown.out
        assert f"stormfold dead replay {one['id']}" in shown.out

        done = await shell("dead", "replay", one["id"])
        assert (done.code, done.err) == (0, "")
        assert done.out == "replayed 1 of 1 dead letters to alerts.raw; Kafka has acknowledged them\n"
        await until_dead(p, 3)
        records = await raw(p)
        again = [r for r in records if dict(r.headers).get("attempt") == b"1"]
        assert [r.value for r in again] == [body(good, bad)]
        assert dict(again[0].headers)["source"] == b"prometheus"
        attempts = [headers["attempt"] for headers, _ in await p.dead() if headers["source"] == "prometheus"]
        assert sorted(attempts) == ["1", "2"]


@pytest.mark.embedded
@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
async def test_only_raw_alerts_are_replayed_and_commands_never(broker: Broker, valkey_url: str, shell: Shell) -> None:
    incident = incident_id(1, ["default"], "r", ["g"], Origin("0" * 32, 0, 0, 0))
    command = encode(CommandEnvelope(CommandBody("c1", Verb.ACKNOWLEDGE, incident, "joe")))
    config = simple_config("http://127.0.0.1:9/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        shell.use(p)
        await put(
            p,
            [
                (0, letter("generic", "command_not_allowed"), command),
                (1, letter("prometheus", "wrong_type"), gzip.compress(command, mtime=0)),
                (
                    1,
                    letter("prometheus", "wrong_type", **{"content-encoding": "gzip"}),
                    gzip.compress(command, mtime=0),
                ),
                (2, letter("stormfold", "command_expired", "correlator"), command),
                (3, letter("", "internal_error", "correlator"), b'{"shard": 3}'),
                (
                    3,
                    letter("generic", "wrong_type", tenant="blue", **{"content-encoding": "gzip"}),
                    gzip.compress(b"[]", mtime=0),
                ),
            ],
        )
        done = await shell("dead", "replay", "--all")
        assert done.code == 1
        assert "replayed 2 of 6" in done.out
        assert "stormfold ack" in done.err
        assert "0:0, 1:1, 2:0: a command is never replayed" in done.err
        assert "3:0: it is no raw alert" in done.err
        records = await raw(p)
        assert sorted(r.value for r in records) == sorted(
            [gzip.compress(command, mtime=0), gzip.compress(b"[]", mtime=0)]
        )
        kept = next(dict(r.headers) for r in records if r.value == gzip.compress(b"[]", mtime=0))
        assert kept == {"source": b"generic", "tenant": b"blue", "content-encoding": b"gzip", "attempt": b"1"}
        assert await p._records(p.topics.answers) == []
        shown = await shell("dead", "show", "2:0", "--json")
        assert "never replayed" in shown.json["obstacle"]
        assert '"incident": "s01-' in shown.json["body"]


@pytest.mark.embedded
@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
async def test_lists_are_bounded_and_many_are_not_replayed_by_accident(
    broker: Broker, valkey_url: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead, "MOST", 20)
    config = simple_config("http://127.0.0.1:9/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        shell.use(p)
        odd = letter("odd", "wrong_type", detail="no json \x1b[31m")
        await put(p, [(n % 4, letter(), b"%d" % n) for n in range(24)])
        await asyncio.sleep(0.01)  # the newest by a later millisecond
        await put(p, [(2, odd, b"\x00\xff\x1b[2J")])
        some = (await shell("dead", "list", "--limit", "3", "--json")).json
        assert some["letters"][0]["id"] == "2:6"
        assert (len(some["letters"]), some["older"]) == (3, True)
        rest = (await shell("dead", "list", "--reason", "invalid_json", "--limit", "100", "--json")).json
        assert (len(rest["letters"]), rest["older"]) == (24, False)
        assert "\x1b" not in (await shell("dead", "list")).out
        assert "\x1b" not in (await shell("dead", "show", "2:6")).out
        refused = await shell("dead", "replay", "--all", "--reason", "invalid_json")
        assert (refused.code, refused.out) == (1, "")
        assert "would publish 24 records" in refused.err
        assert await raw(p) == []
        done = await shell("dead", "replay", "--all", "--reason", "invalid_json", "--yes-really")
        assert (done.code, "replayed 24 of 24" in done.out) == (0, True)
        assert sorted(int(r.value) for r in await raw(p)) == list(range(24))
        for args, code, text in (
            (("show", "9:0"), 1, "there is no dead letter 9:0"),
            (("show", "0:99"), 1, "there is no dead letter 0:99"),
            (("show", "x"), 1, "partition:offset"),
            (("replay",), 2, "--all"),
            (("replay", "0:0", "--all"), 2, "--all"),
            (("replay", "0:0", "--source", "x"), 2, "leave the ids out"),
            (("replay", "0:0", "0:99"), 1, "there is no dead letter 0:99"),
        ):
            done = await shell("dead", *args)
            assert (done.code, text in " ".join(done.err.split())) == (code, True), done
        assert len(await raw(p)) == 24


def test_secrets_in_bodies_are_hidden() -> None:
    secret = "hunter2"
    shown = masked_body(
        orjson.dumps(
            {
                "routing_key": secret,
                "a": [{"X-Api-Key": secret, "password": 5, "service": "auth", "author": "joe"}],
                "SubscribeURL": f"https://sns.test/?Action=Confirm&Token={secret}&x=1",
                "Message": orjson.dumps({"token": secret}).decode(),
                "text": f"Authorization: Bearer {secret}",
            }
        )
    )
    assert secret not in shown
    assert orjson.loads(shown)["a"] == [
        {"X-Api-Key": "[hidden]", "password": "[hidden]", "service": "auth", "author": "joe"}
    ]
    assert "x=1" in shown
    assert masked("redis://u:hunter2@h/0 passwd=hunter2; ok=1") == "redis://u:[hidden]@h/0 passwd=[hidden]; ok=1"
    assert masked_body(b"token: hunter2 \xff") == "token: [hidden] \ufffd"


def test_names_follow_the_downstream_prefix() -> None:
    assert TopicNames.with_prefix("a.", "b.").dead == "b.alerts.dead"
