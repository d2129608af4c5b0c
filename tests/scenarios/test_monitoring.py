"""Real monitoring in front of the real roles: Prometheus, Alertmanager, and Prometheus as the reader of metrics."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from kernel.bus.topics import KafkaTopics
from stormfold.compose import ROLES
from tests.pipeline.harness import pipeline, simple_config
from tests.scenarios import pages
from tests.scenarios.application import RULES, application, fails, host
from tests.scenarios.processes import RoleProcesses, configuration, role_processes
from tests.servers.alertmanager import Alertmanager
from tests.servers.process import program
from tests.servers.prometheus import Prometheus
from tests.servers.receiver import Receiver

RESEND = 5.0
DEADLINE = 90.0

PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s, scrape_timeout: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: application
    static_configs: [{{targets: ["{application}"]}}]
  - job_name: stormfold
    static_configs: [{{targets: [{roles}]}}]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: ["{alertmanager}"]}}]
"""
ALERTMANAGER = """\
route: {{receiver: stormfold, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 4s}}
receivers:
  - name: stormfold
    webhook_configs: [{{url: "{url}/v1/sources/alertmanager", send_resolved: true}}]
"""


async def ask(url: str, query: str) -> list[dict[str, Any]]:
    """An instant query of a Prometheus."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/api/v1/query", params={"query": query}) as answer:
        found: list[dict[str, Any]] = (await answer.json())["data"]["result"]
        return found


async def check_metrics(roles: RoleProcesses, prometheus: str) -> None:
    """Every role is scraped, says who it is, and its metrics are as promtool wants them."""
    async with asyncio.timeout(DEADLINE):
        while len(up := await ask(prometheus, 'up{job="stormfold"} == 1')) < len(ROLES):
            await asyncio.sleep(0.2)
    assert {series["metric"]["instance"] for series in up} == {host(roles.url(role)) for role in ROLES}
    assert len(await ask(prometheus, "stormfold_build_info")) == len(ROLES)
    promtool = program("promtool", "prometheus")
    async with aiohttp.ClientSession() as http:
        for role in ROLES:
            async with http.get(roles.url(role) + "/metrics") as answer:
                assert answer.status == 200
                text = await answer.read()
            done = await asyncio.to_thread(
                subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, check=False
            )
            assert (done.returncode, done.stdout + done.stderr) == (0, b""), role


async def fires_and_clears(app: Receiver, receiver: Receiver, service: str, repeated: Callable[[], Any]) -> None:
    """The application fails, is paged for, is repeated for a while, and recovers."""
    fails(app, 20)
    await pages.wait_kinds(receiver, service, ["page"], DEADLINE)
    async with asyncio.timeout(DEADLINE):
        while not await repeated():
            await asyncio.sleep(0.2)
    assert pages.kinds(pages.of(receiver.received, service)) == ["page"]
    fails(app, 0)
    await pages.wait_kinds(receiver, service, ["page", "resolve"], DEADLINE)
    # What has resolved is repeated as well.
    await asyncio.sleep(RESEND + 2)
    page, resolve = pages.of(receiver.received, service)
    assert (pages.kind(page), pages.kind(resolve)) == ("page", "resolve")
    assert pages.data(page)["incident"] == pages.data(resolve)["incident"]
    assert pages.data(page)["episode"] == pages.data(resolve)["episode"]
    assert pages.data(page)["summary"] == f"Failing on {service}"


@pytest.mark.timeout(240)
async def test_prometheus_and_alertmanager_page_once_and_resolve_once(
    kafka_bootstrap: str,
    valkey_url: str,
    prefix: str,
    receiver: Receiver,
    prometheus: Callable[..., Prometheus],
    alertmanager: Callable[..., Alertmanager],
) -> None:
    """Each role a process; one Prometheus knows stormfold as its only Alertmanager, one has a real Alertmanager."""
    config = configuration(receiver.url + "/hook", {"checkout": "sre", "orders": "sre"})
    port = KafkaTopics(kafka_bootstrap)
    async with (
        pipeline(kafka_bootstrap, "kafka", valkey_url, port, prefix, simple_config(receiver.url)) as p,
        application() as direct,
        application() as relayed,
    ):
        with role_processes(p.settings, config) as roles:
            await roles.start_all()
            door = roles.url("gateway")
            theirs = alertmanager(ALERTMANAGER.format(url=door))
            targets = ", ".join(f'"{host(roles.url(role))}"' for role in ROLES)
            resend = [f"--rules.alert.resend-delay={RESEND:.0f}s"]
            fails(direct, 0)
            fails(relayed, 0)
            ours = prometheus(
                PROMETHEUS.format(application=host(direct.url), roles=targets, alertmanager=host(door)),
                RULES.format(name="Failing", service="checkout"),
                resend,
            )
            prometheus(
                PROMETHEUS.format(application=host(relayed.url), roles="", alertmanager=host(theirs.url)),
                RULES.format(name="Failing", service="orders"),
                resend,
            )

            def suppressed(source: str) -> Callable[[], Any]:
                query = f'stormfold_alerts_total{{source="{source}", outcome="repeat"}} >= 2'
                return lambda: ask(ours.url, query)

            await asyncio.gather(
                check_metrics(roles, ours.url),
                fires_and_clears(direct, receiver, "checkout", suppressed("prometheus")),
                fires_and_clears(relayed, receiver, "orders", suppressed("alertmanager")),
            )
            roles.check()
            # After pages, resolves and repeats there are more series: they too are as promtool wants them.
            await check_metrics(roles, ours.url)
            assert len(receiver.received) == 4
            sent = await ask(ours.url, 'sum(stormfold_pages_total{outcome="sent"})')
            assert [series["value"][1] for series in sent] == ["2"]
