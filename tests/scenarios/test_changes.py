"""What changed comes in by its own door, opens nothing, and stands beside the incident that follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from ingest.adapters.registry import ADAPTERS
from kernel.config.load import load
from notifier.texts import check_template
from tests.conftest import Broker
from tests.pipeline.harness import DEADLINE, body, firing
from tests.scenarios.examples import JSON, PROMETHEUS
from tests.scenarios.inprocess import OPERATOR, House, house
from tests.scenarios.senders import ENVIRON, Told, github_deployment, now_ms, post, with_proofs


async def ask(h: House, path: str, enough: Callable[[Any], bool] = lambda said: True) -> Any:
    """What the incident API says, once all shards are served and it is `enough`."""
    headers = {"authorization": f"Bearer {OPERATOR}"}
    end = time.monotonic() + DEADLINE
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(h.url + path, headers=headers) as answer:
                said = await answer.json()
            if answer.status == 200 and enough(said):
                return said
            assert time.monotonic() < end, (answer.status, said)
            await asyncio.sleep(0.05)


async def changes(h: House, *wanted: tuple[str, str]) -> list[dict[str, Any]]:
    """All changes that are kept, the newest first, once they are these services' with these outcomes."""

    def are(said: Any) -> bool:
        return [(change["service"], change["outcome"]) for change in said["changes"]] == list(wanted)

    found: list[dict[str, Any]] = (await ask(h, "/api/v1/changes", are))["changes"]
    return found


async def test_a_deployment_is_shown_with_the_incident_that_follows(
    broker: Broker, valkey_url: str, tmp_path: Path
) -> None:
    config = load(with_proofs(tmp_path), ENVIRON, adapters=ADAPTERS, title=check_template).config
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:
        at = now_ms() - 60_000
        await post(h, github_deployment("shop/search", 4710, "success", at - 20_000, environment="staging"))
        await post(h, github_deployment("shop/checkout", 4711, "in_progress", at))
        await changes(h, ("checkout", "started"), ("search", "succeeded"))

        ended = github_deployment("shop/checkout", 4711, "success", at + 30_000)
        await post(h, ended)
        await post(h, ended)  # GitHub's button "Redeliver"
        # Of somebody who does not know the secret.
        forged = {**ended.headers, "x-github-delivery": "other", "x-hub-signature-256": f"sha256={'0' * 64}"}
        assert (await h.post(ended.path, ended.body.replace(b"4711", b"4712"), **forged))[0] == 403

        told = (await changes(h, ("checkout", "succeeded"), ("search", "succeeded")))[0]
        assert h.metric("stormfold_door_replays_total", source="github") == 1
        assert (told["source"], told["what"], told["name"]) == ("github", "deployment", "deploy checkout to production")
        assert (told["where"], told["who"], told["revision"]) == ("production", "mira", "c0ffee1")
        assert told["link"] == "https://github.example.org/shop/checkout/actions/runs/9"
        # It began with its first message, and is as its last one says.
        assert told["began"] < told["at"]
        assert (await h.pipeline.state()).incidents == {}

        alert = firing("HighErrorRate", now_ms(), service="checkout", severity="critical")
        await post(h, Told(PROMETHEUS, body(alert), JSON))
        state = await h.pipeline.until("its incident", lambda s: len(s.incidents) == 1)
        (incident,) = state.incidents
        seen = await ask(h, f"/api/v1/incidents/{incident}")
        assert [change["why"] for change in seen["changes"]] == ["the same service, checkout"]
        assert {**seen["changes"][0], "why": None} == told
