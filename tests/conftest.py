"""Fixtures for real servers. Each starts when a test first asks for it, and none needs an event loop to start.

A missing server skips its tests with a sentence that says how to get it; with ``CI=true`` it fails them.
"""

import contextlib
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
import redis

from kernel.bus.topics import KafkaTopics, TopicPort
from stormfold.embedded.servers import EmbeddedServers, HostProcess
from tests.servers import alertmanager as alertmanager_server
from tests.servers import kafka as kafka_server
from tests.servers import prometheus as prometheus_server
from tests.servers import redis as redis_server
from tests.servers import sns as sns_server
from tests.servers import valkey as valkey_server
from tests.servers.alertmanager import Alertmanager
from tests.servers.kafka import RESTARTABLE, JavaKafka
from tests.servers.process import ServerMissing
from tests.servers.prometheus import Prometheus
from tests.servers.receiver import Receiver
from tests.servers.sns import Sns
from tests.servers.valkey import StoreServer

T = TypeVar("T")

_REAL_FIXTURES = {
    "kafka_bootstrap",
    "own_kafka",
    "redis_url",
    "prometheus",
    "alertmanager",
    "localstack_sns",
    "moto_sns",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _REAL_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.real)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Leave the counts of skipped tests by reason for ``make test``, which sums up its runs."""
    if target := os.environ.get("STORMFOLD_SKIPPED"):
        reasons = [" ".join(str(report.longrepr[2]).split()) for report in terminalreporter.stats.get("skipped", [])]
        with Path(target).open("a") as file:
            file.writelines(f"{count}\t{text.removeprefix('Skipped: ')}\n" for text, count in Counter(reasons).items())


def _leave_out(text: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{text} (with CI=true nothing may be skipped)", pytrace=False)
    pytest.skip(text)


def _started(start: Callable[[], T]) -> T:
    try:
        return start()
    except ServerMissing as error:
        text = str(error)
    _leave_out(text)


@pytest.fixture(scope="session")
def embedded() -> Iterator[HostProcess]:
    """The embedded servers' host process: ``bootstrap``, ``redis_url``, ``command({...})``."""
    host = HostProcess()
    yield host
    host.stop()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey for the whole session; a test cleans up or uses keys of its own."""
    server = _started(valkey_server.start)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Debian's Redis for the whole session; a test cleans up or uses keys of its own."""
    server = _started(redis_server.start)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """A real Kafka for the whole session, without topics; a test uses a prefix of its own."""
    server = _started(kafka_server.start)
    yield server.bootstrap
    server.stop()


@pytest.fixture
def prefix() -> str:
    """A topic and key prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}."


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker for a contract test; topics of the test go under ``prefix``."""

    kind: str
    bootstrap: str
    topics: TopicPort
    prefix: str


@pytest.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.embedded), pytest.param("kafka", marks=pytest.mark.real)]
)
def broker(request: pytest.FixtureRequest, prefix: str) -> Broker:
    """Each broker in turn."""
    if request.param == "embedded":
        host: HostProcess = request.getfixturevalue("embedded")
        return Broker("embedded", host.bootstrap, EmbeddedServers(host), prefix)
    bootstrap: str = request.getfixturevalue("kafka_bootstrap")
    return Broker("kafka", bootstrap, KafkaTopics(bootstrap), prefix)


@pytest.fixture(
    params=[pytest.param("valkey", marks=pytest.mark.embedded), pytest.param("redis", marks=pytest.mark.real)]
)
def store_url(request: pytest.FixtureRequest) -> str:
    """Each store in turn, empty."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        client.flushall()
    return url


@pytest.fixture
def own_valkey() -> Iterator[StoreServer]:
    """A Valkey of one test's own, to kill and start again."""
    with valkey_server.running() as server:
        yield server


@pytest.fixture
def own_kafka() -> Iterator[Callable[..., JavaKafka]]:
    """Factory of brokers of one test's own, to kill and start again; arguments as ``JavaKafka`` takes them."""
    with contextlib.ExitStack() as stack:

        def start(properties: Mapping[str, str] | None = None, format_arguments: tuple[str, ...] = ()) -> JavaKafka:
            server = _started(lambda: JavaKafka({**RESTARTABLE, **(properties or {})}, format_arguments))
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def prometheus() -> Iterator[Callable[..., Prometheus]]:
    """Factory with the signature of :func:`tests.servers.prometheus.start`; ends what it started."""
    with contextlib.ExitStack() as stack:

        def start(config: str, rules: str = "groups: []\n", arguments: Sequence[str] = ()) -> Prometheus:
            server = _started(lambda: prometheus_server.start(config, rules, arguments))
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def alertmanager() -> Iterator[Callable[..., Alertmanager]]:
    """Factory with the signature of :func:`tests.servers.alertmanager.start`; ends what it started."""
    with contextlib.ExitStack() as stack:

        def start(config: str, arguments: Sequence[str] = ()) -> Alertmanager:
            server = _started(lambda: alertmanager_server.start(config, arguments))
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def localstack_sns() -> Iterator[Sns]:
    """LocalStack's SNS for the whole session; a test uses topics of its own."""
    server = _started(sns_server.localstack)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def moto_sns() -> Iterator[Sns]:
    """moto's SNS for the whole session; a test uses topics of its own."""
    server = _started(sns_server.moto)
    yield server
    server.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An HTTP receiver that records everything."""
    server = Receiver()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of vendors' real payloads and specifications."""
    where = os.environ.get("STORMFOLD_CORPUS")
    if not where:
        # Not part of the project, so its absence is no failure anywhere.
        pytest.skip("STORMFOLD_CORPUS is not set: it names the folder that holds payloads/ and specs/")
    folder = Path(where).resolve()
    if not (folder / "payloads").is_dir():
        pytest.fail(f"STORMFOLD_CORPUS={where} has no payloads/ folder", pytrace=False)
    return folder
