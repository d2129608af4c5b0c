"""Something to watch: an application whose metrics a real Prometheus scrapes, and a rule on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.servers.receiver import Answer, Receiver

RULES = """\
groups:
  - name: application
    rules:
      - alert: {name}
        expr: application_errors > 10
        labels: {{severity: critical, service: {service}}}
        annotations: {{summary: "{name} on {service}"}}
"""


@asynccontextmanager
async def application() -> AsyncIterator[Receiver]:
    """An application; its answer is its metrics, which `fails` sets."""
    app = Receiver()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def fails(app: Receiver, errors: int) -> None:
    """From the next scrape on the application has this many errors; the rule fires over 10."""
    text = f"# TYPE application_errors gauge\napplication_errors {errors}\n"
    app.default = Answer(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})


def host(url: str) -> str:
    """`host:port` of a URL, as configurations of Prometheus want it."""
    return url.removeprefix("http://")
