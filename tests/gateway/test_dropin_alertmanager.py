"""Debian's Alertmanager with our address in the place of PagerDuty's and Opsgenie's, as docs/replacing.md shows it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.adapters.base import Message, Parsed
from ingest.adapters.registry import adapter_for
from kernel.model.alert import Origin, Severity, Status
from tests.gateway.conftest import GENIE_KEY, ROUTING_KEY, TOKEN, Running
from tests.servers.alertmanager import Alertmanager
from tests.servers.prometheus import Prometheus

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

PAGE = Path(__file__).parents[2] / "docs" / "replacing.md"
OURS = "stormfold:8080"
ROUTE = """
route:
  receiver: ours
  group_wait: 100ms
  group_interval: 200ms
  repeat_interval: 1h
"""


def snippet(title: str) -> str:
    """The YAML under a heading of the page."""
    found = re.search(rf"^## {re.escape(title)}\n.*?^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/replacing.md has no snippet under {title!r}"
    return found[1]


def connected(running: Running, title: str, **secrets: str) -> str:
    """The page's snippet with the address and the secrets of this test."""
    text = snippet(title).replace(OURS, f"{running.host}:{running.port}")
    for name, value in secrets.items():
        assert name in text, text
        text = text.replace(name, value)
    return text


async def told(running: Running, wanted: int) -> list[tuple[str, Parsed]]:
    """Source and meaning of every record, once there are so many alerts in them."""
    found: list[tuple[str, Parsed]] = []
    async with asyncio.timeout(60):
        while sum(len(parsed.alerts) for _, parsed in found) < wanted:
            await asyncio.sleep(0.1)
            records = await running.alerts()
            found = []
            for record in sorted(records, key=lambda record: record.timestamp):
                source = dict(record.headers)["source"].decode()
                config = running.holder["config"].sources[source]
                origin = Origin("0" * 32, record.partition, record.offset, 0)
                message = Message(record.value, source, config, "default", record.timestamp, origin, {})
                found.append((source, adapter_for(source, config).parse(message)))
    return found


async def send(running: Running, alertmanager: Alertmanager, *, resolved: bool) -> None:
    """One alert, as Prometheus posts it."""
    alert = {
        "labels": {"alertname": "DiskFull", "instance": "db-1", "severity": "critical"},
        "annotations": {"summary": "disk full"},
    }
    if resolved:
        alert["endsAt"] = "2020-01-01T00:00:00Z"  # type: ignore[assignment]
        alert["startsAt"] = "2019-12-31T00:00:00Z"  # type: ignore[assignment]
    async with running.http.post(f"{alertmanager.url}/api/v2/alerts", json=[alert]) as answer:
        assert answer.status == 200, await answer.text()


@pytest.mark.parametrize(
    ("title", "secrets", "source"),
    [
        ("PagerDuty under Alertmanager", {"ROUTING_KEY": ROUTING_KEY}, "pages"),
        ("Opsgenie under Alertmanager", {"API_KEY": GENIE_KEY}, "genie"),
    ],
    ids=["pagerduty", "opsgenie"],
)
async def test_firing_and_resolved_meet(
    running: Running,
    alertmanager: Callable[..., Alertmanager],
    title: str,
    secrets: dict[str, str],
    source: str,
) -> None:
    server = alertmanager(ROUTE + connected(running, title, **secrets))
    await send(running, server, resolved=False)
    (first,) = await told(running, 1)
    await send(running, server, resolved=True)
    rows = await told(running, 2)
    alerts = [alert for _, parsed in rows for alert in parsed.alerts]
    assert {name for name, _ in (first, *rows)} == {source}
    assert [alert.status for alert in alerts] == [Status.FIRING, Status.RESOLVED]
    assert len({alert.fingerprint for alert in alerts}) == 1
    assert "DiskFull" in alerts[0].name
    assert all(parsed.refusals == [] for _, parsed in rows)
    assert b"".join(record.value for record in await running.alerts()).count(next(iter(secrets.values())).encode()) == 0
    if source == "pages":
        assert alerts[0].severity is Severity.HIGH  # what Alertmanager says where nothing else is configured


async def test_the_updates_that_alertmanager_may_send_change_nothing(
    running: Running, alertmanager: Callable[..., Alertmanager]
) -> None:
    config = connected(running, "Opsgenie under Alertmanager", API_KEY=GENIE_KEY)
    server = alertmanager(ROUTE + config.replace("- api_key:", "- update_alerts: true\n        api_key:"))
    await send(running, server, resolved=False)
    async with asyncio.timeout(60):
        while len(rows := await told(running, 1)) < 3:
            await asyncio.sleep(0.1)
    assert sorted(len(parsed.alerts) for _, parsed in rows) == [0, 0, 1]
    assert all(parsed.refusals == [] for _, parsed in rows)


async def test_prometheus_with_stormfold_in_alertmanagers_place(
    running: Running, prometheus: Callable[..., Prometheus]
) -> None:
    config = connected(running, "Alertmanager under Prometheus")
    rules = "groups: [{name: g, rules: [{alert: Always, expr: vector(1), labels: {severity: warning}}]}]\n"
    # It knows its Alertmanagers only seconds after its first evaluation, and repeats an alert once a minute by itself.
    again = ("--rules.alert.resend-delay=1s",)
    prometheus("global: {evaluation_interval: 200ms}\n" + config + "rule_files: [rules.yml]\n", rules, again)
    rows = await told(running, 1)
    source, parsed = rows[0]
    assert (source, parsed.alerts[0].name) == ("prometheus", "Always")
    assert TOKEN not in config
