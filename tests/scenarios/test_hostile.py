"""Bad input by every way in: refused at the door, a dead letter, or a documented default; always counted, never in
the way of what is good.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from kernel.bus.clients import Bus
from kernel.config.schema import Config, RuleConfig, SourceConfig
from kernel.model.alert import Severity
from kernel.model.incident import IncidentStatus
from tests.conftest import Broker
from tests.pipeline.harness import State, body, firing, simple_config
from tests.scenarios import pages
from tests.scenarios.hostile import Bad, cases
from tests.scenarios.inprocess import House, house
from tests.servers.receiver import Receiver

SOURCES = ("prometheus", "alertmanager", "generic", "datadog", "cloudwatch", "identified")
DEAD_HEADERS = {"reason", "stage", "origin-topic", "origin-partition", "origin-offset", "attempt", "build", "detail"}


def configuration(url: str) -> Config:
    """Every alert is an incident of its own, but for those of a service."""
    sources = {name: SourceConfig() for name in SOURCES}
    sources["identified"] = SourceConfig(
        adapter="generic", identity=("asset",), severities={"purple": Severity.CRITICAL}
    )
    alone = RuleConfig(name="alone", group_by=("fingerprint",))
    plain = simple_config(url)
    return simple_config(url, sources=sources, rules=(*plain.rules, alone))


async def by_door(h: House, table: Sequence[Bad]) -> list[Bad]:
    """Post everything that can be posted; returns what the door took. Refusals are as the table says, and counted."""
    taken, refused = list[Bad](), Counter[tuple[str, str]]()
    for case in table:
        if case.status is None:
            continue
        path = "/api/v2/alerts" if case.source == "prometheus" else f"/v1/sources/{case.source}"
        headers = {name: value for name, value in case.headers.items() if value is not None}
        wanted = 200 if case.source == "prometheus" and case.status == 202 else case.status
        status, answer = await h.post(path, case.body, content_type="application/json", **headers)
        assert (status, case.says in answer.decode()) == (wanted, True), (case.name, status, answer)
        source = case.source if case.source in SOURCES else "other"
        refused[source or "other", str(status)] += 1
        if status < 300:
            taken.append(case)
        else:
            assert orjson.loads(answer), case.name
    for (source, code), count in refused.items():
        assert h.metric("stormfold_door_requests_total", source=source, code=code) == count, (source, code)
    turned_away = sum(n for (_, code), n in refused.items() if code >= "400")
    assert h.door is not None
    samples = [s for m in h.door.metrics.door_refused_total.collect() for s in m.samples if s.name.endswith("_total")]
    assert sum(sample.value for sample in samples) == turned_away
    return taken


async def by_kafka(h: House, table: Sequence[Bad]) -> list[Bad]:
    """Put everything straight on one partition, in order."""
    sent = [case for case in table if case.kafka]
    bus = Bus.of(h.pipeline.settings)
    producer = await bus.start(bus.producer())
    try:
        for case in sent:
            headers = [(name, None if value is None else value.encode()) for name, value in case.headers.items()]
            if case.source is not None:
                headers.append(("source", case.source.encode()))
            await producer.send_and_wait(h.pipeline.topics.alerts, case.body, partition=1, headers=headers)
    finally:
        await producer.stop()
    return sent


def check_alive(table: Sequence[Bad], state: State) -> None:
    """What lives is an incident, with the severity that the table says."""
    wanted = {title: severity for case in table for title, severity in case.alive.items()}
    severity = {member.incident: member.severity for member in state.members.values()}
    found = {doc.title: severity[doc.id] for doc in state.incidents.values() if doc.rule == "alone"}
    assert found == wanted


async def check_dead(h: House, table: Sequence[Bad]) -> None:
    """Each dead letter has the bytes as they came, where they stand, and why."""
    raw = {(r.partition, r.offset): r for r in await h.pipeline._records(h.pipeline.topics.alerts)}
    letters = {}
    for headers, value in await h.pipeline.dead():
        place = int(headers["origin-partition"]), int(headers["origin-offset"])
        assert headers["origin-topic"] == h.pipeline.topics.alerts
        assert headers.keys() >= DEAD_HEADERS
        assert (headers["stage"], headers["attempt"]) == ("ingest", "1")
        letters[place] = headers
        if "cut" in headers:
            assert int(headers["cut"]) == len(raw[place].value)
            assert raw[place].value.startswith(value)
        else:
            assert raw[place].value == value
    wanted = Counter((case.source, case.dead, case.refused) for case in table if case.dead)
    found = Counter((h_.get("source"), h_["reason"], int(h_["alerts"])) for h_ in letters.values())
    assert found == wanted
    for case in table:
        if case.dead:
            same = [
                h_["detail"] for h_ in letters.values() if (h_.get("source"), h_["reason"]) == (case.source, case.dead)
            ]
            assert any(case.detail in detail for detail in same), (case.name, same)
            assert all(entry["detail"] for detail in same for entry in orjson.loads(detail)), case.name


def check_counted(h: House, table: Sequence[Bad], extra: int) -> None:
    """Every dead alert, every default and every forbidden command is in the metrics; nothing is counted twice."""
    dead, defaults, commands = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[str]()
    alive = extra
    for case in table:
        # A source that nobody named is detected, and counted as `other`.
        source = case.source if case.source in SOURCES else "other"
        alive += len(case.alive)
        if case.dead:
            dead[source, case.dead] += case.refused
        for default, count in case.defaults.items():
            defaults[source, default] += count
        if case.command:
            commands[case.command] += 1
    found_dead = {
        key: h.metric("stormfold_dead_letters_total", source=key[0], reason=key[1], stage="ingest") for key in dead
    }
    assert found_dead == dict(dead)
    assert {key: h.metric("stormfold_defaults_total", source=key[0], default=key[1]) for key in defaults} == dict(
        defaults
    )
    assert {verb: h.metric("stormfold_commands_total", verb=verb, outcome="dead") for verb in commands} == dict(
        commands
    )
    (ingest,) = (role.context for role in h.roles if role.task.get_name() == "ingest")
    outcomes = Counter[str]()
    for metric in ingest.metrics.alerts_total.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                outcomes[sample.labels["outcome"]] += int(sample.value)
    assert +outcomes == Counter({"first_sight": alive, "dead": sum(dead.values())})


@pytest.mark.parametrize("way", ["door", "kafka"])
async def test_bad_input_is_refused_dead_or_defaulted_and_counted(
    broker: Broker, valkey_url: str, receiver: Receiver, way: str
) -> None:
    config = configuration(receiver.url + "/hook")
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:
        now = time.time_ns() // 1_000_000
        victim = body(firing("Victim", now, service="checkout", severity="critical"))
        await h.pipeline.send([victim])
        state = await h.pipeline.until("an incident to attack", lambda s: len(s.incidents) == 1)
        (incident,) = state.incidents
        # The commands name an incident that is really there.
        table = [replace(case, body=case.body.replace(b"INCIDENT", incident.encode())) for case in cases(now)]

        judged = await (by_door if way == "door" else by_kafka)(h, table)
        last = body(firing("Last", now, service="payments", severity="critical"))
        await h.pipeline.send([last], partition=1)

        alive = sum(len(case.alive) for case in judged)
        letters = sum(1 for case in judged if case.dead)
        state = await h.pipeline.until(
            "all that lives is an incident",
            lambda s: len(s.incidents) == alive + 2 and s.count == alive + 2,
        )
        check_alive(judged, state)
        assert state.incidents[incident].status is IncidentStatus.OPEN
        await receiver.wait_for(lambda r: len(pages.of(r, "payments")) == 1)
        assert letters == len(await h.pipeline.dead())
        await check_dead(h, judged)
        check_counted(h, judged, extra=2)
        # No control character reaches a person.
        for request in receiver.received:
            told = pages.data(request)
            assert all(text.replace("\n", "").isprintable() for text in (told["title"], told["text"], told["summary"]))
