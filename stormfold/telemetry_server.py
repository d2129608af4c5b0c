"""The HTTP server of a process without a gateway: metrics, health, readiness."""

from __future__ import annotations

from kernel.context import Context
from kernel.httpd import HttpServer, listen
from kernel.telemetry.http import telemetry_app


class TelemetryServer:
    """Serves `/metrics`, `/healthz` and `/readyz` and nothing else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server: HttpServer | None = None

    async def start(self, fallback: bool = False) -> tuple[str, int]:
        """Listen, and return the bound (host, port). Raises CannotListen."""
        context = self._context
        listener = listen(context.settings.host, context.settings.port, fallback)
        self._server = HttpServer(telemetry_app(context.metrics, context.health), self._ended)
        host, port = listener.getsockname()[:2]
        await self._server.start(listener)
        return host, port

    def _ended(self, why: str) -> None:
        self._context.health.set("http", False, f"the HTTP server ended by itself ({why}); restart the process")

    async def stop(self, deadline: float = 5.0) -> None:
        """Answer what is under way."""
        if self._server is not None:
            await self._server.stop(deadline)
