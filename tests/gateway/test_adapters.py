"""What the door does because an adapter says so, and proof of origin before anything goes on."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from ingest.adapters.base import Adapter, Handshake, Message, Outcome, Parsed, Reply
from ingest.adapters.registry import ADAPTERS
from ingest.read import Reader
from kernel.config.proof import GitHubProof, TokenProof
from kernel.config.schema import Config, SourceConfig
from kernel.config.values import Secret
from stormfold.embedded.servers import EmbeddedServers, HostProcess
from tests.conftest import Broker
from tests.gateway.conftest import Running, Start

EMBEDDED = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
FORM = "application/x-www-form-urlencoded"
CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:1:t&Token=x"
SECRET = "hush"
PROVEN = SourceConfig(adapter="everything", proof=TokenProof(secrets=(Secret("env:T", SECRET),)))
SHOWN = {"authorization": f"Bearer {SECRET}"}
BODY = b'{"action": "started", "note": "never-in-a-log"}'


class Everything(Adapter):
    """An adapter that asks of the door all that one can."""

    name: ClassVar[str] = "everything"
    title: ClassVar[str] = "a test's own"
    shape: ClassVar[tuple[str, ...]] = ("x",)
    headers: ClassVar[tuple[str, ...]] = ("x-kind", "x-absent")
    forms: ClassVar[bool] = True
    answers: ClassVar[bool] = True
    greets: ClassVar[bool] = True
    accepted: ClassVar[Reply | None] = Reply(200, b"ok", b"text/plain")

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        return False

    def parse(self, message: Message) -> Parsed:
        return Parsed(Outcome.IGNORED)

    def handshake(self, body: bytes, headers: Mapping[str, str]) -> Handshake | None:
        if body == b'{"hello": 1}':
            return Handshake(Reply(200, headers.get("x-kind", "").encode(), b"text/plain"))
        if body.startswith(b'{"confirm"'):
            return Handshake(Reply(200, b"{}"), json.loads(body)["confirm"])
        return None


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter, known."""
    monkeypatch.setitem(ADAPTERS, Everything.name, Everything())


def configure(running: Running, **sources: SourceConfig) -> None:
    running.holder["config"] = Config(sources=sources)
    running.context.metrics.set_sources(sources)


def signed(body: bytes, delivery: str) -> dict[str, str]:
    """The headers of GitHub's webhooks."""
    code = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X_GitHub_Event": "check_run", "X_GitHub_Delivery": delivery, "X_Hub_Signature_256": f"sha256={code}"}


def github(proof: bool = True) -> SourceConfig:
    """A source of GitHub's webhooks."""
    return SourceConfig(proof=GitHubProof(secrets=(Secret("env:G", SECRET),)) if proof else None)


async def answers(running: Running) -> list[Any]:
    return await running.records(running.context.topics.answers, 2)


@pytest.mark.usefixtures("everything")
async def test_headers_forms_answers_and_the_reply(running: Running) -> None:
    configure(running, everything=PROVEN, plain=SourceConfig(adapter="generic"))
    path = "/v1/sources/everything"
    status, said, headers = await running.post(path, b"[1]", x_kind="alpha", x_other="beta", **SHOWN)
    assert (status, said, headers["content-type"]) == (200, b"ok", "text/plain")
    form = b"payload=%7B%22a%22%3A1%7D&x=%00"
    assert (await running.post(path, form, content_type=f"{FORM}; charset=utf-8", **SHOWN))[0] == 200
    # The very same of a source whose adapter knows no forms.
    assert (await running.post("/v1/sources/plain", form, content_type=FORM))[0] == 400
    assert (await running.post("/v1/sources/plain", b"[2]", x_kind="alpha"))[0] == 202
    records = await answers(running)
    assert {record.value: tuple(record.headers) for record in records} == {
        b"[1]": (("source", b"everything"), ("x-kind", b"alpha")),
        form: (("source", b"everything"), ("content-type", f"{FORM}; charset=utf-8".encode())),
    }
    (plain,) = await running.alerts()
    assert tuple(plain.headers) == (("source", b"plain"),)


@EMBEDDED
@pytest.mark.usefixtures("everything")
async def test_a_source_with_answers_stays_in_one_partition_and_in_order(running: Running) -> None:
    configure(running, everything=PROVEN)
    for n in range(30):
        assert (await running.post("/v1/sources/everything", b"%d" % n, **SHOWN))[0] == 200
    records = await answers(running)
    assert len({record.partition for record in records}) == 1
    assert [record.value for record in records] == [b"%d" % n for n in range(30)]


@EMBEDDED
@pytest.mark.usefixtures("everything")
async def test_what_nobody_proved_is_no_answer(running: Running) -> None:
    configure(running, everything=SourceConfig())
    assert (await running.post("/v1/sources/everything", b"[1]"))[0] == 200
    assert [record.value for record in await running.alerts()] == [b"[1]"]
    assert await answers(running) == []


@EMBEDDED
@pytest.mark.usefixtures("everything")
async def test_a_greeting_is_answered_and_goes_nowhere(running: Running) -> None:
    configure(running, everything=SourceConfig(), proven=PROVEN)
    status, said, headers = await running.post("/v1/sources/everything", b'{"hello": 1}', x_kind="challenge")
    assert (status, said, headers["content-type"]) == (200, b"challenge", "text/plain")
    asked: list[str] = []

    async def ask(url: str) -> tuple[int, bytes]:
        asked.append(url)
        return 200, b""

    running.gateway._certificates._ask = ask
    body = json.dumps({"confirm": CONFIRM}).encode()
    # Nobody's word makes the gateway ask an address, and no proof makes it ask any but Amazon's.
    assert (await running.post("/v1/sources/everything", body))[0] == 403
    elsewhere = json.dumps({"confirm": "http://169.254.169.254/"}).encode()
    assert (await running.post("/v1/sources/proven", elsewhere, **SHOWN))[0] == 503
    assert asked == []
    assert (await running.post("/v1/sources/proven", body, **SHOWN))[:2] == (200, b"{}")
    assert asked == [CONFIRM]
    assert await answers(running) == []
    assert running.metric("stormfold_door_refused_total", source="proven", reason="unconfirmed") == 1


@EMBEDDED
async def test_an_unproven_body_goes_nowhere_and_into_no_log(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    configure(running, github=github())
    path = "/v1/sources/github"
    with caplog.at_level(logging.DEBUG):
        wrong = signed(BODY, "d-1") | {"X_Hub_Signature_256": "sha256=" + "0" * 64}
        status, said, _ = await running.post(path, BODY, **wrong)
        assert (status, b"Traceback" in said) == (403, False)
        assert (await running.post(path, BODY))[0] == 401
        # The proof comes before the JSON: a stranger learns nothing of what is wrong with a body.
        assert (await running.post(path, b"{", **(signed(b"{}", "d-2"))))[0] == 403
        assert (await running.post(path, b"{", **(signed(b"{", "d-2"))))[0] == 400
    assert await running.alerts() == []
    assert "never-in-a-log" not in caplog.text
    assert running.metric("stormfold_door_refused_total", source="github", reason="signature") == 2
    assert running.metric("stormfold_door_refused_total", source="github", reason="not_json") == 1


@EMBEDDED
async def test_a_delivery_that_comes_again_is_answered_and_not_published(
    running: Running, broker: Broker, start: Start
) -> None:
    configure(running, github=github())
    first = signed(BODY, "d-1")
    assert (await running.post("/v1/sources/github", BODY, **first))[0] == 202
    assert (await running.post("/v1/sources/github", BODY, **first))[0] == 202
    # Another gateway of the deployment knows it as well.
    other = await start(broker)
    configure(other, github=github())
    status, said, _ = await other.post("/v1/sources/github", BODY, **first)
    assert (status, json.loads(said)) == (202, {"status": "accepted"})
    (record,) = await running.alerts()
    assert tuple(record.headers) == (("source", b"github"), ("x-github-event", b"check_run"))
    assert running.metric("stormfold_door_replays_total", source="github") == 1
    assert other.metric("stormfold_door_replays_total", source="github") == 1
    assert (await other.post("/v1/sources/github", b"{}", **signed(b"{}", "d-2")))[0] == 202
    assert len(await running.alerts()) == 2


@pytest.mark.embedded
async def test_what_kafka_has_not_is_not_remembered(start: Start, prefix: str) -> None:
    host = HostProcess()
    try:
        running = await start(Broker("embedded", host.bootstrap, EmbeddedServers(host), prefix))
        configure(running, github=github())
        assert (await running.post("/v1/sources/github", b"{}", **signed(b"{}", "d-0")))[0] == 202
        host.command({"down": True})
        assert (await running.post("/v1/sources/github", BODY, **signed(BODY, "d-1")))[0] == 503
        host.command({"down": False})
        async with asyncio.timeout(40):
            while (await running.post("/v1/sources/github", BODY, **signed(BODY, "d-1")))[0] != 202:
                await asyncio.sleep(0.1)
        assert len(await running.alerts()) >= 2
    finally:
        host.stop()


@EMBEDDED
async def test_headers_that_differ_with_every_record_share_one_route(running: Running) -> None:
    configure(running, github=github(), plain=SourceConfig(adapter="generic"))
    for n in range(20):
        body = b"%d" % n
        given = signed(body, f"d-{n}") | {"X_GitHub_Event": f"event-{n}"}
        assert (await running.post("/v1/sources/github", body, **given))[0] == 202
    assert (await running.post("/v1/sources/plain", b"{}"))[0] == 202
    reader = Reader(running.context.config, 4)
    seen: set[str] = set()
    for record in await running.alerts():
        route = reader.route(record)
        message = reader.message(route, record, "0" * 32)
        assert message.headers == {name: value.decode() for name, value in record.headers}
        seen.add(message.headers.get("x-github-event", ""))
    assert seen == {"", *(f"event-{n}" for n in range(20))}
    assert set(reader._routes) == {(("source", b"github"),), (("source", b"plain"),)}
