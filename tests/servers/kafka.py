"""Apache Kafka: one KRaft node, in a container where an engine answers, else from its Maven artifacts.

The version is pinned in ``tests/pom.xml``; both ways start the same one with the same settings.
"""

import asyncio
import contextlib
import fcntl
import gc
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.servers.process import ServerFailed, ServerMissing, ServerProcess, free_port, private_directory, program

_POM = Path(__file__).parent.parent / "pom.xml"
_MVN_DEADLINE_S = 600.0
_DOCKER_DEADLINE_S = 2
_PULL_DEADLINE_S = 180
_CLUSTER_ID = "c3Rvcm1mb2xkLXRlc3RzMQ"

# Small, quick and for one node. Nothing here changes what a client sees but times.
_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "controlled.shutdown.enable": "false",
}
# For a broker that is killed: it may come back only when the controller has given up on its former life.
RESTARTABLE: Mapping[str, str] = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
_JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOG4J = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
"""


class KafkaServer(Protocol):
    """A running broker. ``bootstrap`` is its host:port."""

    bootstrap: str

    def stop(self) -> None: ...


def version() -> str:
    """The pinned Kafka version."""
    match = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", _POM.read_text())
    assert match is not None
    return match[1]


def jars() -> Path:
    """Folder of the broker's jars, fetched by Maven on first use into the user's cache.

    Raises :class:`ServerMissing` without Maven, :class:`ServerFailed` when Maven cannot fetch them.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stormfold"
    target = base / f"kafka-{version()}-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]}"
    if target.is_dir():
        return target
    maven = program("mvn", "maven")
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test run may be fetching the same
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            fetched = Path(scratch) / "jars"
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
            try:
                done = subprocess.run(
                    [maven, "-q", "-B", "-f", str(_POM), *goal],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=_MVN_DEADLINE_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ServerFailed(f"Maven did not fetch Kafka within {_MVN_DEADLINE_S:.0f} s") from error
            if done.returncode != 0:
                raise ServerFailed(f"Maven cannot fetch Kafka:\n{(done.stdout + done.stderr)[-3000:]}")
            fetched.rename(target)
    return target


def _java() -> str:
    java = program("java", "openjdk-17-jre-headless (17 or newer)")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', said)
    if match is None or int(match[1]) < 17:
        first = said.splitlines()[0] if said else "nothing"
        raise ServerMissing(
            f"Java 17 or newer is missing ({java} says {first}): apt-get install openjdk-17-jre-headless"
        )
    return java


class JavaKafka:
    """A broker from the jars. ``properties`` override the settings above; ``format_arguments`` go to the formatting
    (``--add-scram`` and the like)."""

    def __init__(self, properties: Mapping[str, str] | None = None, format_arguments: tuple[str, ...] = ()) -> None:
        self._java = _java()
        self._classpath = f"{jars()}/*"
        self.directory = private_directory("kafka")
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        settings = {
            **_SETTINGS,
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.directory / "data"),
            **(properties or {}),
        }
        self._config = self.directory / "server.properties"
        self._config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (self.directory / "log4j2.properties").write_text(_LOG4J)
        self._format(format_arguments)
        self.process = self._start()

    def _command(self, main: str, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}"
        return [self._java, *_JAVA, log4j, "-cp", self._classpath, main, *arguments]

    def _format(self, arguments: tuple[str, ...]) -> None:
        tool = self._command(
            "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._config), *arguments
        )
        done = subprocess.run(tool, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise ServerFailed(f"Kafka's storage cannot be formatted:\n{(done.stdout + done.stderr)[-3000:]}")

    def _start(self) -> ServerProcess:
        process = ServerProcess("kafka", self._command("kafka.Kafka", str(self._config)), self.directory)
        return process.wait_ready(lambda: answers(self.bootstrap), 90.0)

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        self.process.kill()

    def restart(self) -> None:
        """SIGKILL, if it still runs, and start on the same data and ports."""
        self.process.kill()
        self.process = self._start()

    def stop(self) -> None:
        self.process.stop()


class ContainerKafka:
    """The same broker from the project's official image. The engine's own reaper ends it with the tests."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        container: Any = DockerContainer(f"apache/kafka:{version()}").with_bind_ports(port, port)
        settings = {
            **_SETTINGS,
            "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:29093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.quorum.voters": "1@127.0.0.1:29093",
            "log.dirs": "/tmp/kafka-data",
        }
        for key, value in settings.items():
            container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
        container.with_env("CLUSTER_ID", _CLUSTER_ID)
        self._container = container
        container.start()
        try:
            _wait_container(self.bootstrap)
        except ServerFailed:
            self.stop()
            raise

    def stop(self) -> None:
        self._container.stop()


def _wait_container(bootstrap: str) -> None:
    for _ in range(600):
        if answers(bootstrap):
            return
    raise ServerFailed("the Kafka container does not answer")


def answers(bootstrap: str) -> bool:
    """Whether a broker answers there now."""

    async def ask() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
        try:
            await admin.start()
            return len((await admin.describe_cluster())["brokers"]) >= 1
        except KafkaError:
            await asyncio.sleep(0.1)
            return False
        finally:
            await admin.close()

    noise = logging.getLogger("aiokafka")
    before = noise.level
    noise.setLevel(logging.CRITICAL)  # an ERROR line for each time it is not there yet
    try:
        return _in_own_loop(ask())
    finally:
        noise.setLevel(before)


def _in_own_loop(coroutine: Any) -> bool:
    """Run it apart from whatever loop this thread may be in."""
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(asyncio.run(coroutine)))
    thread.start()
    thread.join()
    return bool(result and result[0])


def _ping(image: str) -> str | None:
    """``ready`` when an engine answers and has the image, ``pull`` when it answers without it, else None."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return None
    with warnings.catch_warnings():
        # The client leaves its socket open when nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            client = docker.from_env(timeout=_DOCKER_DEADLINE_S)
            try:
                client.ping()
                return "ready" if client.images.list(name=image) else "pull"
            finally:
                client.close()
        except (DockerException, OSError):
            return None
        finally:
            gc.collect()


def _engine_ready() -> bool:
    """Whether a container engine answers and has the image or can pull it."""
    image = f"apache/kafka:{version()}"
    found = _ping(image)
    engine = shutil.which("docker") or shutil.which("podman")
    if found != "pull" or engine is None:
        return found == "ready"
    # An engine that cannot reach its registry may hang in the pull: bounded, then the jars.
    with contextlib.suppress(subprocess.TimeoutExpired):
        pulled = subprocess.run([engine, "pull", image], capture_output=True, timeout=_PULL_DEADLINE_S, check=False)
        return pulled.returncode == 0
    return False


def start() -> KafkaServer:
    """Start a broker. Raises :class:`ServerMissing` or :class:`ServerFailed`."""
    if _engine_ready():
        return ContainerKafka()
    try:
        return JavaKafka()
    except ServerFailed as error:
        if "Address already in use" not in str(error):
            raise
        return JavaKafka()  # a free port was taken in between
