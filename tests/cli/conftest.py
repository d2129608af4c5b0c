"""Commands as a shell would run them, against a deployment of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner

from ingest.gateway.app import Gateway
from stormfold.cli.app import app
from stormfold.cli.errors import expected_errors
from tests.pipeline.harness import Pipeline

OPERATOR = "op-t0ken"


@dataclass
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON object."""
        return orjson.loads(self.out)


@dataclass
class Shell:
    """Runs commands in a thread: their servers live in the test's loop."""

    env: dict[str, str | None] = field(default_factory=dict)

    async def __call__(self, *args: str) -> Done:
        return await asyncio.to_thread(self._run, args)

    def _run(self, args: tuple[str, ...]) -> Done:
        found = CliRunner().invoke(app, list(args), env=self.env, prog_name="stormfold")
        err = found.stderr
        if isinstance(found.exception, expected_errors()):
            err += f"{found.exception}\n"
        elif found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Done(found.exit_code, found.stdout, err)

    def use(self, p: Pipeline, **more: str) -> None:
        """Settings that lead to this deployment."""
        s = p.settings
        given: Mapping[str, str] = {
            "KAFKA": s.kafka,
            "KAFKA_PROFILE": s.kafka_profile,
            "REDIS": s.redis.get_secret_value(),
            "NAMESPACE": s.namespace,
            "TOPIC_PREFIX": s.topic_prefix,
            **more,
        }
        self.env.update({f"STORMFOLD_{name}": value for name, value in given.items()})


@pytest.fixture(autouse=True)
def _logs_aside() -> Iterator[None]:
    """Roles live in the same process: what they log is not what a command prints."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell without settings, in which no run is found."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    unset = dict.fromkeys(("STORMFOLD_KAFKA", "STORMFOLD_REDIS", "STORMFOLD_URL", "STORMFOLD_OPERATOR_TOKEN"))
    return Shell({**unset, "XDG_RUNTIME_DIR": str(runtime)})


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Factory: the gateway of a pipeline; returns its URL, stops what it started."""
    async with contextlib.AsyncExitStack() as stack:

        async def serving(p: Pipeline, token: str | None = OPERATOR) -> str:
            context = p.context()
            operator = SecretStr(token) if token else None
            context.settings = p.settings.model_copy(update={"port": 0, "operator_token": operator})
            gateway = Gateway(context)
            host, port = await gateway.start()
            stack.push_async_callback(gateway.stop, 2.0)
            return f"http://{host}:{port}"

        yield serving
