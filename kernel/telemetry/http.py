"""`/metrics`, `/healthz` and `/readyz` as one plain ASGI application, the same in every role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from kernel.telemetry.health import Health
from kernel.telemetry.metrics import CONTENT_TYPE, Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PATHS = frozenset({"/metrics", "/healthz", "/readyz"})

_JSON = "application/json"


def telemetry_app(metrics: Metrics, health: Health) -> Asgi:
    """The application; it answers GET and HEAD on `PATHS`, 405 to other methods there, 404 elsewhere."""

    def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, CONTENT_TYPE, metrics.render()
        if path == "/healthz":
            alive, reason = health.alive()
            return (200 if alive else 503), _JSON, orjson.dumps({"alive": alive, "reason": reason})
        if path == "/readyz":
            ready, checks = health.ready()
            body = {"ready": ready, "checks": checks}
            return (200 if ready else 503), _JSON, orjson.dumps(body, option=orjson.OPT_INDENT_2)
        return 404, _JSON, orjson.dumps({"error": "not found; there are /metrics, /healthz and /readyz"})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"this application speaks HTTP only, not {scope['type']}")
        method, path = scope["method"], scope["path"]
        if path in PATHS and method not in ("GET", "HEAD"):
            status, kind, body = 405, _JSON, orjson.dumps({"error": "use GET"})
        else:
            status, kind, body = answer(path)
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
