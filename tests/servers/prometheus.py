"""Prometheus from Debian's package."""

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence

from tests.servers.process import ServerFailed, ServerProcess, free_port, http_ok, private_directory, program


class Prometheus:
    """A running Prometheus. Its configuration names its rules as ``rules.yml`` (relative to the configuration)."""

    def __init__(self, config: str, rules: str, arguments: Sequence[str]) -> None:
        binary = program("prometheus", "prometheus")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.directory = private_directory("prometheus")
        self.write(config, rules)
        self.process = ServerProcess(
            "prometheus",
            [
                binary,
                f"--config.file={self.directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.directory / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                *arguments,
            ],
            self.directory,
        ).wait_ready(lambda: http_ok(f"{self.url}/-/ready"))

    def write(self, config: str | None = None, rules: str | None = None) -> None:
        """Write configuration, rules or both; :meth:`reload` makes them count."""
        if config is not None:
            (self.directory / "prometheus.yml").write_text(config)
        if rules is not None:
            (self.directory / "rules.yml").write_text(rules)

    def reload(self, deadline_s: float = 10.0) -> None:
        """SIGHUP; returns when it has been read. Raises :class:`ServerFailed` when it is not valid."""
        seen = self.process.log.stat().st_size
        until = time.monotonic() + deadline_s
        self.process.signal(signal.SIGHUP)
        while True:
            new = self.process.log.read_bytes()[seen:].decode(errors="replace")
            if "Completed loading of configuration file" in new:
                return
            if "level=error" in new or time.monotonic() > until:
                raise ServerFailed(f"prometheus did not take its new configuration:\n{new}")
            time.sleep(0.02)

    def stop(self) -> None:
        self.process.stop()


def start(config: str, rules: str = "groups: []\n", arguments: Sequence[str] = ()) -> Prometheus:
    """Start a Prometheus; ``arguments`` are further flags such as ``--rules.alert.resend-delay=5s``.

    Raises :class:`ServerMissing` where there is none and :class:`ServerFailed` with its log's tail.
    """
    try:
        return Prometheus(config, rules, arguments)
    except ServerFailed as error:
        if "address already in use" not in str(error):
            raise
        return Prometheus(config, rules, arguments)  # the free port was taken in between


@contextlib.contextmanager
def running(config: str, rules: str = "groups: []\n", arguments: Sequence[str] = ()) -> Iterator[Prometheus]:
    """A Prometheus for one test."""
    server = start(config, rules, arguments)
    try:
        yield server
    finally:
        server.stop()
