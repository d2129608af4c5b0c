"""`stormfold up`, `send` and `topics`: what is missing is one sentence, what runs can be spoken to and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psutil import Process

import stormfold
from stormfold.cli import runtime_file
from stormfold.embedded.servers import HostProcess
from tests.demo.running import environment, left_alive

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

EXAMPLE = Path(stormfold.__file__).parent / "example_config"
CLOSED = "127.0.0.1:1"
ALERT = [
    {
        "labels": {"alertname": "Website down", "service": "storefront", "severity": "critical", "site": "shop"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
    }
]


def command(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stormfold", *words],
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def up(folder: Path, *words: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "stormfold", "up", *words],
        env=environment(folder, **more),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("stormfold runs "):
            return next(word.rstrip(";") for word in line.split() if word.startswith("http://"))
    raise AssertionError("it ended before it listened")


def page(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_ready(url: str) -> None:
    until = time.monotonic() + 20
    while page(f"{url}/readyz")[0] != 200:
        assert time.monotonic() < until, page(f"{url}/readyz")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (["up"], {"STORMFOLD_REDIS": f"redis://:hidden@{CLOSED}/0"}, "check STORMFOLD_REDIS"),
        (["up"], {"STORMFOLD_REDIS": "nonsense"}, "STORMFOLD_REDIS is no address"),
        (["up", "--roles", "gateway,oracle"], {}, "there is no role 'oracle'"),
        (["send", str(EXAMPLE / "teams.yaml"), "--source", "generic"], {"STORMFOLD_KAFKA": CLOSED}, "make run"),
        (["send", "absent.json", "--source", "generic"], {}, "absent.json cannot be read"),
        (["topics", "plan"], {"STORMFOLD_KAFKA": CLOSED}, "no Kafka broker lets this client in"),
    ],
)
def test_what_is_missing_is_one_sentence(tmp_path: Path, words: list[str], more: dict[str, str], said: str) -> None:
    done = command(tmp_path, *words, **({"STORMFOLD_CONFIG": str(EXAMPLE)} | more))
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "hidden" not in done.stderr


def test_a_closed_broker_and_missing_topics_are_named(tmp_path: Path, embedded: HostProcess, prefix: str) -> None:
    more = {"STORMFOLD_CONFIG": str(EXAMPLE), "STORMFOLD_REDIS": embedded.redis_url}
    done = command(tmp_path, "up", STORMFOLD_KAFKA=CLOSED, **more)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    assert "STORMFOLD_KAFKA" in done.stderr
    more |= {"STORMFOLD_KAFKA": embedded.bootstrap, "STORMFOLD_TOPIC_PREFIX": prefix}
    done = command(tmp_path, "up", **more)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    for name in ("alerts.raw", "answers.raw", "signals", "incidents", "deliveries", "alerts.dead"):
        assert f"{prefix}{name}" in done.stderr
    assert "stormfold topics apply" in done.stderr
    partitions = {"alerts.raw": 2, "answers.raw": 2, "signals": 3, "incidents": 3, "deliveries": 3, "alerts.dead": 1}
    for name, many in partitions.items():
        embedded.command({"topic": f"{prefix}{name}", "partitions": many})
    done = command(tmp_path, "up", STORMFOLD_SHARDS="8", **more)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    assert "has 3 partitions, but STORMFOLD_SHARDS is 8" in done.stderr


def test_an_embedded_run_takes_a_file_pages_and_ends(tmp_path: Path) -> None:
    body = tmp_path / "alert.json"
    body.write_text(json.dumps(ALERT))
    config = tmp_path / "config"
    config.mkdir()
    for file in EXAMPLE.iterdir():
        (config / file.name).write_bytes(file.read_bytes())
    with up(tmp_path, "--embedded", "--config", str(config)) as process:
        url = address(process)
        wait_ready(url)
        running = runtime_file.read(tmp_path / "stormfold")
        assert running is not None
        assert running.url == url
        assert running.operator_token
        sent = command(tmp_path, "send", str(body), "--source", "prometheus")
        assert sent.returncode == 0, sent.stderr
        assert process.stdout is not None
        assert "page P1" in process.stdout.readline()

        before = next(
            line for line in page(f"{url}/metrics")[1].splitlines() if line.startswith("stormfold_config_hash")
        )
        (config / "more.yaml").write_text("services: {ledger: {tier: 1, team: payments}}\n")
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 4
        while before in page(f"{url}/metrics")[1]:
            assert time.monotonic() < until, "SIGHUP did not reload"
            time.sleep(0.05)

        family = [Process(process.pid), *Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        assert left_alive(family, 10.0) == []
        assert process.wait() == 0
        assert os.listdir(tmp_path / "stormfold") == []


def test_a_process_without_a_gateway_serves_its_state_only(tmp_path: Path, embedded: HostProcess, prefix: str) -> None:
    names = {"alerts.raw": 2, "answers.raw": 2, "signals": 8, "incidents": 8, "deliveries": 8, "alerts.dead": 1}
    for name, many in names.items():
        embedded.command({"topic": f"{prefix}{name}", "partitions": many})
    more = {
        "STORMFOLD_CONFIG": str(EXAMPLE),
        "STORMFOLD_REDIS": embedded.redis_url,
        "STORMFOLD_KAFKA": embedded.bootstrap,
        "STORMFOLD_KAFKA_PROFILE": "embedded",
        "STORMFOLD_TOPIC_PREFIX": prefix,
        "STORMFOLD_NAMESPACE": prefix,
        "STORMFOLD_SHARDS": "8",
    }
    with up(tmp_path, "--roles", "ingest,correlator", **more) as process:
        url = address(process)
        wait_ready(url)
        checks = json.loads(page(f"{url}/readyz")[1])["checks"]
        assert {"ingest", "correlator"} <= set(checks)
        assert "gateway" not in checks
        assert page(f"{url}/healthz")[0] == 200
        assert "stormfold_turns_total" in page(f"{url}/metrics")[1]
        assert page(f"{url}/api/v1/incidents")[0] == 404
        assert page(f"{url}/v1/sources/generic")[0] == 404
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
