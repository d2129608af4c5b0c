"""What the log writes and, above all, what it does not."""

import io
import logging
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog

from kernel.config.values import Secret
from kernel.telemetry.log import configure, mask_text, redact


class Stderr(io.TextIOWrapper):
    """A standard error that is read back, a terminal or not."""

    def __init__(self, tty: bool) -> None:
        self.bytes = io.BytesIO()
        self._tty = tty
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def stderr(monkeypatch: pytest.MonkeyPatch, tty: bool = False) -> Stderr:
    stream = Stderr(tty)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_json_lines_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch)
    configure("info")
    log = structlog.get_logger()
    log.debug("not_shown")
    log.info("batch", role="ingest", alerts=7, outcomes={"repeat": 5})
    lines = stream.text().splitlines()
    assert len(lines) == 1
    line = orjson.loads(lines[0])
    assert {k: line[k] for k in ("event", "role", "alerts", "outcomes", "level")} == {
        "event": "batch",
        "role": "ingest",
        "alerts": 7,
        "outcomes": {"repeat": 5},
        "level": "info",
    }
    assert line["timestamp"].endswith("Z")


def test_text_on_a_terminal_without_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch, tty=True)
    configure("info")

    def fails(routing_key: str) -> None:
        del routing_key
        raise ValueError("broken")

    try:
        fails("R" + "0123456789")
    except ValueError:
        structlog.get_logger().exception("failed", token="t0ps3cret")
    assert "broken" in stream.text()
    assert "Traceback" in stream.text()
    assert "R0123456789" not in stream.text()
    assert "t0ps3cret" not in stream.text()


def test_libraries_are_heard_from_warning_on_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch)
    configure("debug", json=True)
    logging.getLogger("aiokafka.conn").info("not shown")
    logging.getLogger("aiokafka.conn").warning("cannot reach %s", "redis://user:hunter2@db:6379/0")
    (line,) = [orjson.loads(line) for line in stream.text().splitlines()]
    assert line["event"] == "cannot reach redis://***@db:6379/0"
    assert line["logger"] == "aiokafka.conn"
    assert line["level"] == "warning"


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "s3cr3tvalue"},
        {"operator_token": "s3cr3tvalue"},
        {"headers": {"Authorization": "Bearer s3cr3tvalue"}},
        {"settings": {"channels": [{"routing_key": "s3cr3tvalue"}]}},
        {"kafka_password": "s3cr3tvalue"},
        {"tokens": ["s3cr3tvalue"]},
        {"url": "https://me:s3cr3tvalue@example.com/hook"},
        {"url": "https://me:p@s3cr3tvalue@example.com/hook"},
        {"url": "https://example.com/hook?token=s3cr3tvalue&x=1"},
        {"error": "sent header Authorization: Basic s3cr3tvalue"},
        {"place": Secret("env:TOKEN", "s3cr3tvalue")},
        {"deep": [[[[[{"password": "https://x:s3cr3tvalue@h"}]]]]]},
    ],
)
def test_secrets_are_masked(fields: dict[str, object]) -> None:
    assert "s3cr3tvalue" not in str(redact(None, "info", {"event": "e", **fields}))


def test_other_text_stays() -> None:
    plain = "claimed shard s07 at 127.0.0.1:9092, see https://example.com/a?b=c (a basic configuration)"
    assert mask_text(plain) == plain


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="write debug, info, warning or error"):
        configure("loud")
