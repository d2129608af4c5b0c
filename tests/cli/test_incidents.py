"""`stormfold incidents`, `incident`, `ack`, `resolve` against a running deployment."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import redis

from kernel.model.incident import IncidentStatus
from stormfold.cli import runtime_file
from stormfold.cli.runtime_file import Running
from tests.cli.conftest import OPERATOR, Shell
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, body, firing, pipeline, resolved, simple_config
from tests.servers.receiver import Answer, Receiver

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
Serve = Callable[..., Awaitable[str]]


@pytest.fixture
async def p(broker: Broker, valkey_url: str, receiver: Receiver) -> AsyncIterator[Pipeline]:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as made:
        yield made


def alert(name: str) -> bytes:
    now = time.time_ns() // 1_000_000
    return body(firing(name, now, service="checkout", severity="critical"))


async def opened(p: Pipeline, receiver: Receiver, n: int = 1) -> str:
    """An incident of `n` firing members that has paged."""
    await p.start_all()
    await p.send([alert(f"A{number}") for number in range(n)])
    state = await p.until("one incident", lambda s: s.count == n)
    await receiver.wait_count(1)
    (incident,) = state.incidents
    return incident


async def test_from_the_list_to_the_resolve(p: Pipeline, receiver: Receiver, shell: Shell, serve: Serve) -> None:
    incident = await opened(p, receiver, 2)
    shell.env |= {"STORMFOLD_URL": await serve(p) + "/", "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    await p.until("the page is known as sent", lambda s: "sent" in s.deliveries.values())

    listed = await shell("incidents")
    assert (listed.code, listed.err) == (0, "")
    assert incident in listed.out
    (row,) = (await shell("incidents", "--json")).json["incidents"]
    assert (row["id"], row["status"], row["firing"], row["team"]) == (incident, "open", 2, "sre")
    same = await shell("incidents", "--status", "open", "--priority", row["priority"], "--team", "sre", "--json")
    assert [found["id"] for found in same.json["incidents"]] == [incident]
    for filters in (("--status", "closed"), ("--team", "nobody"), ("--priority", "P4")):
        assert (await shell("incidents", *filters)).out == "no incidents of that kind\n"
    assert (await shell("incidents", "--status", "wrong")).code == 2

    told = await shell("incident", incident)
    assert told.code == 0
    for text in ("impact", "urgency", "by-service", "service=checkout", "A0", "A1", "page", "hook", "sent", "opened"):
        assert text in told.out, text
    assert (await shell("incident", incident, "--json")).json["score"]["priority"] == row["priority"]

    done = await shell("ack", incident, "--by", "joe", "--note", "on it")
    assert (done.code, done.out) == (0, f"{incident} is acknowledged\n")
    said = (await shell("incident", incident, "--json")).json
    assert (said["status"], said["answered_by"]) == ("acknowledged", "joe")
    assert "on it" in said["timeline"][-1]["why"]
    done = await shell("note", incident, "rolled back", "--by", "joe")
    assert (done.code, done.out) == (0, f"noted in the timeline of {incident}\n")
    assert (await shell("note", incident, " ")).code == 1
    said = (await shell("incident", incident, "--json")).json
    assert (said["status"], said["timeline"][-1]["what"]) == ("acknowledged", "noted")
    assert said["timeline"][-1]["why"] == "by joe: rolled back"
    done = await shell("resolve", incident)
    assert done.code == 0
    assert done.out.startswith(f"{incident} is resolved; 2 of its members still fire: they page nobody again")
    assert (
        await shell("ack", incident)
    ).out == f"{incident} is resolved already; the acknowledgement changed nothing\n"
    await receiver.wait_count(2)


async def test_one_or_no_member_fires_on(p: Pipeline, receiver: Receiver, shell: Shell, serve: Serve) -> None:
    incident = await opened(p, receiver)
    shell.env |= {"STORMFOLD_URL": await serve(p), "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    assert "1 of its members still fires: it pages" in (await shell("resolve", incident)).out
    now = time.time_ns() // 1_000_000
    await p.send([body(resolved("A0", now, service="checkout", severity="critical"))])
    await p.until("seen resolved", lambda s: s.incidents[incident].handled == 0)
    assert (await shell("resolve", incident, "--json")).json["firing"] == 0
    assert (await shell("resolve", incident)).out == f"{incident} is resolved; none of its members fires\n"


async def test_an_effect_that_does_not_show_is_queued(
    p: Pipeline, receiver: Receiver, shell: Shell, serve: Serve
) -> None:
    incident = await opened(p, receiver)
    shell.env |= {"STORMFOLD_URL": await serve(p), "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    correlator = p.roles[1]
    assert correlator.task.get_name() == "correlator"
    await correlator.finish()
    done = await shell("ack", incident)
    assert done.code == 0
    assert done.out.startswith("queued: Kafka has the command ")
    assert f"`stormfold incident {incident}`" in done.out
    await p.start("correlator")
    await p.until("it takes effect", lambda s: s.incidents[incident].status is IncidentStatus.ACKNOWLEDGED)


async def test_what_is_refused_says_what_to_do(
    p: Pipeline, receiver: Receiver, shell: Shell, serve: Serve, valkey_url: str
) -> None:
    incident = await opened(p, receiver)
    unknown = incident[:4] + "a" * 16
    url = await serve(p)
    shell.env |= {"STORMFOLD_URL": url, "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    for name in (unknown, "x", "s01-../../x", "s01-AAAAAAAAAAAAAAAA", "s99-" + "a" * 16):
        for command in ("incident", "ack", "resolve"):
            done = await shell(command, name)
            assert (done.code, done.out) == (1, "")
            assert done.err.startswith(f"there is no incident '{name}'")

    for token in (None, "wrong"):
        shell.env["STORMFOLD_OPERATOR_TOKEN"] = token
        done = await shell("incidents")
        assert (done.code, "set STORMFOLD_OPERATOR_TOKEN to the one" in done.err) == (1, True)
        assert "wrong" not in done.err
    shell.env |= {"STORMFOLD_URL": await serve(p, None), "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    assert "started without an operator's token" in (await shell("incidents")).err

    # One shard's state is gone, and nobody may claim it: the others are told.
    shell.env["STORMFOLD_URL"] = url
    await p.roles[1].finish()
    lost = (int(incident[1:3]) + 1) % 4
    with redis.Redis.from_url(valkey_url) as client:
        client.delete(f"{p.settings.namespace}:{{s{lost:02d}}}:c:chain")
    done = await shell("incidents")
    assert (done.code, incident in done.out) == (1, True)
    assert f"s{lost:02d}" in done.err
    assert "stormfold shard reset" in done.err
    done = await shell("incidents", "--json")
    assert (done.code, done.json["lost_shards"]) == (1, [f"s{lost:02d}"])
    done = await shell("incident", f"s{lost:02d}-" + "a" * 16)
    assert (done.code, f"stormfold shard reset s{lost:02d} --role correlator" in done.err) == (1, True)


async def test_an_embedded_run_is_found_and_a_url_goes_before_it(
    p: Pipeline, receiver: Receiver, shell: Shell, serve: Serve, tmp_path: Path
) -> None:
    incident = await opened(p, receiver)
    shell.env |= {"STORMFOLD_PORT": None}
    nothing = await shell("incidents")
    if "make run" not in nothing.err:
        assert "not stormfold's gateway" in nothing.err or "token" in nothing.err, "something listens on port 8080"
    assert nothing.code == 1
    folder = tmp_path / "runtime" / "stormfold"
    running = Running(
        url=await serve(p), kafka=p.settings.kafka, redis=p.settings.redis.get_secret_value(), profile="embedded",
        namespace=p.settings.namespace, operator_token=OPERATOR, pid=os.getpid(), started_at=1,
        topic_prefix=p.settings.topic_prefix,
    )  # fmt: skip
    runtime_file.write(running, folder)
    assert incident in (await shell("incidents")).out
    # The same file leads the other commands to its broker.
    assert (await shell("dead", "list")).out == "no dead letters\n"
    shell.env["STORMFOLD_URL"] = "http://127.0.0.1:1"
    done = await shell("incidents")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("no gateway answers at http://127.0.0.1:1 ")
    assert "`make run`" in done.err


async def test_who_answers_there_must_be_the_gateway(receiver: Receiver, shell: Shell, broker: Broker) -> None:
    del broker
    shell.env |= {"STORMFOLD_URL": receiver.url, "STORMFOLD_OPERATOR_TOKEN": OPERATOR}
    for answer in (Answer(200, body=b"<html>"), Answer(302, body=b"", headers={"location": receiver.url + "/else"})):
        receiver.script.append(answer)
        done = await shell("incidents")
        assert (done.code, "is not stormfold's gateway" in done.err) == (1, True)
    assert [request.path for request in receiver.received] == ["/api/v1/incidents?limit=100"] * 2
    for wrong in ("127.0.0.1:8080", "ftp://x", "http://joe:pw@x"):
        shell.env["STORMFOLD_URL"] = wrong
        done = await shell("incidents")
        assert (done.code, "STORMFOLD_URL is no address" in done.err, "pw" in done.err) == (1, True, False)
