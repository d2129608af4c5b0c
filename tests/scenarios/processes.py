"""The four roles as processes of their own, by the command that people use."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import SecretStr

from kernel.config.settings import Settings
from stormfold.compose import ROLES
from tests.servers.process import ServerProcess, free_port, http_ok, private_directory

READY_DEADLINE = 60.0


def configuration(url: str, services: Mapping[str, str], **sections: Any) -> dict[str, Any]:
    """A configuration as YAML says it: alerts of one service are one incident, paged by a webhook at `url`."""
    return {
        "sources": {"prometheus": {}, "alertmanager": {"repeat_interval": "1m"}},
        "teams": {"sre": {"page": ["hook"], "notify": ["hook"]}},
        "services": {name: {"tier": 1, "team": team} for name, team in services.items()},
        "rules": [{"name": "by service", "match": ['service!=""'], "group_by": ["service"]}],
        "routes": [{"team": "sre"}],
        "canary": {"every": "0s"},
        "channels": {"hook": {"type": "webhook", "url": url, "allow_private": True, "per_minute": 60_000}},
        **sections,
    }


class RoleProcesses:
    """`stormfold up --roles X` for each role; a role keeps its port and its log over restarts."""

    def __init__(self, settings: Settings, config: Mapping[str, Any]) -> None:
        self.directory = private_directory("roles")
        folder = self.directory / "config"
        folder.mkdir()
        (folder / "stormfold.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
        self.ports = {role: free_port() for role in ROLES}
        self._settings = settings.model_copy(update={"config": folder})
        self._running: dict[str, ServerProcess] = {}

    def url(self, role: str) -> str:
        """Where a role's HTTP server listens."""
        return f"http://127.0.0.1:{self.ports[role]}"

    def start(self, role: str) -> None:
        """Start one role; returns before it is ready."""
        settings = self._settings.model_copy(update={"port": self.ports[role]})
        command = ["/usr/bin/env", *environment(settings), sys.executable, "-m", "stormfold", "up", "--roles", role]
        folder = self.directory / role
        folder.mkdir(exist_ok=True)
        self._running[role] = ServerProcess(role, command, folder)

    async def start_all(self) -> None:
        """Start every role and wait until all say that they are ready."""
        for role in ROLES:
            self.start(role)
        for role in ROLES:
            await self.ready(role)

    async def ready(self, role: str) -> None:
        """Wait until a role says that it is ready."""
        process = self._running[role]
        await asyncio.to_thread(process.wait_ready, lambda: http_ok(f"{self.url(role)}/readyz"), READY_DEADLINE)

    def kill(self, role: str) -> None:
        """SIGKILL; returns when the process is gone."""
        self._running.pop(role).kill()

    def check(self) -> None:
        """Fails where a role has ended by itself or met an error that it did not expect."""
        for role, process in self._running.items():
            assert process.alive(), f"{role} has ended; its log ends:\n{process.tail()}"
        for role in ROLES:
            assert "Traceback" not in self.log(role), f"{role} met an error:\n{self.log(role)}"

    def log(self, role: str) -> str:
        """All that a role wrote, over its restarts."""
        path = self.directory / role / f"{role}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End every process and remove the files."""
        for process in self._running.values():
            process.stop()
        self._running.clear()
        shutil.rmtree(self.directory, ignore_errors=True)


def environment(settings: Settings) -> list[str]:
    """Settings as `NAME=value`."""
    return [
        f"STORMFOLD_{name.upper()}={value.get_secret_value() if isinstance(value, SecretStr) else value}"
        for name, value in settings.model_dump().items()
        if value is not None
    ]


@contextlib.contextmanager
def role_processes(settings: Settings, config: Mapping[str, Any]) -> Iterator[RoleProcesses]:
    """Processes for one test; a failure shows the ends of their logs."""
    roles = RoleProcesses(settings, config)
    try:
        yield roles
    except BaseException:
        for role in ROLES:
            print(f"--- {role}\n{roles.log(role)[-4_000:]}")
        raise
    finally:
        roles.stop()
