"""Alertmanager from Debian's package."""

import contextlib
from collections.abc import Iterator, Sequence

from tests.servers.process import ServerFailed, ServerProcess, free_port, http_ok, private_directory, program


class Alertmanager:
    """A running Alertmanager, alone (no cluster)."""

    def __init__(self, config: str, arguments: Sequence[str]) -> None:
        binary = program("prometheus-alertmanager", "prometheus-alertmanager")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.directory = private_directory("alertmanager")
        (self.directory / "alertmanager.yml").write_text(config)
        self.process = ServerProcess(
            "alertmanager",
            [
                binary,
                f"--config.file={self.directory / 'alertmanager.yml'}",
                f"--storage.path={self.directory / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",
                *arguments,
            ],
            self.directory,
        ).wait_ready(lambda: http_ok(f"{self.url}/-/ready"))

    def stop(self) -> None:
        self.process.stop()


def start(config: str, arguments: Sequence[str] = ()) -> Alertmanager:
    """Start an Alertmanager. Raises :class:`ServerMissing` where there is none, :class:`ServerFailed` with its log."""
    try:
        return Alertmanager(config, arguments)
    except ServerFailed as error:
        if "address already in use" not in str(error):
            raise
        return Alertmanager(config, arguments)  # the free port was taken in between


@contextlib.contextmanager
def running(config: str, arguments: Sequence[str] = ()) -> Iterator[Alertmanager]:
    """An Alertmanager for one test."""
    server = start(config, arguments)
    try:
        yield server
    finally:
        server.stop()
