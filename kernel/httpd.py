"""One HTTP server of a process: any ASGI application under uvicorn, without uvicorn's hold on signals and logs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from kernel.telemetry.http import Asgi

MAX_CONNECTIONS: Final = 4_096
log = logging.getLogger(__name__)


class CannotListen(OSError):
    """The address is taken or not ours; the message says what to do."""


class _Server(uvicorn.Server):
    """The process that runs the roles decides when to stop, so uvicorn takes no signal."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves one application. `ended` is called with a reason if the server ends without having been asked to."""

    def __init__(
        self, app: Asgi, ended: Callable[[str], None], protocol: type[asyncio.Protocol] | str = "httptools"
    ) -> None:
        settings: dict[str, Any] = {"http": protocol}
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                ws="none",
                interface="asgi3",
                proxy_headers=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=75,
                **settings,
            )
        )
        self._ended = ended
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening socket; returns once connections are taken."""
        self._serving = asyncio.create_task(self._server.serve([listener]), name="http")
        self._serving.add_done_callback(self._over)
        await self._server.listening.wait()

    def _over(self, serving: asyncio.Task[None]) -> None:
        if not self._server.should_exit:
            self._ended("cancelled" if serving.cancelled() else repr(serving.exception()))

    async def stop(self, deadline: float) -> None:
        """Answer what is under way, for `deadline` seconds at most."""
        if self._serving is None:
            return
        self._server.should_exit = True
        done, _ = await asyncio.wait([self._serving], timeout=deadline)
        if not done:
            self._serving.cancel()
            await asyncio.wait([self._serving])


def listen(host: str, port: int, fallback: bool) -> socket.socket:
    """A listening socket; with `fallback` a port that is taken is replaced by a free one, which is logged.

    Raises CannotListen.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CannotListen(f"{host} is no address to listen on ({error}); set STORMFOLD_HOST") from error
    for attempt in (address, (address[0], 0)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(attempt)
            listener.listen(2_048)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE or not fallback:
                raise CannotListen(
                    f"cannot listen on {host}:{port} ({error.strerror}); stop what holds it or set STORMFOLD_PORT"
                ) from error
        else:
            listener.setblocking(False)
            if attempt[1] != port:
                log.warning("port %d is taken; listening on %d instead", port, listener.getsockname()[1])
            return listener
    raise CannotListen(f"no port of {host} is free")
