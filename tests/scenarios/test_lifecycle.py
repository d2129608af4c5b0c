"""Detected, classified, assigned: the table of examples under the example configuration, each told and then over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

import stormfold
from ingest.adapters.registry import ADAPTERS
from kernel.config.load import load
from kernel.config.schema import Config, TeamConfig, Webhook
from kernel.model.incident import IncidentStatus
from kernel.model.state import IncidentDoc
from notifier.texts import check_template
from tests.conftest import Broker
from tests.scenarios import pages
from tests.scenarios.examples import EXAMPLES, Example
from tests.scenarios.inprocess import House, house
from tests.servers.receiver import Received, Receiver

EXAMPLE_CONFIG = Path(stormfold.__file__).parent / "example_config"


def example_config(url: str) -> Config:
    """The example configuration, but for its channels: each team has a pager and a chat of its own at `url`."""
    config = load(EXAMPLE_CONFIG, {}, adapters=ADAPTERS, title=check_template).config
    channels = {
        f"{way}-{team}": Webhook(url=f"{url}/{way}/{team}", allow_private=True, per_minute=60_000)
        for team in config.teams
        for way in ("page", "notify")
    }
    teams = {team: TeamConfig(page=(f"page-{team}",), notify=(f"notify-{team}",)) for team in config.teams}
    return msgspec.structs.replace(config, channels=channels, teams=teams)


async def tell(h: House, firing: bool) -> None:
    """Every example by its own door."""
    at = time.time_ns() // 1_000_000
    for example in EXAMPLES:
        status, answer = await h.post(example.path, example.make(at, firing), content_type="application/json")
        assert status in (200, 202), (example.title, answer)


Row = tuple[object, ...]


def expected(example: Example) -> Row:
    """A row of the table as `found` puts it."""
    way, kind = ("page", "page") if example.page else ("notify", "update")
    priority = (example.priority, (example.impact,), (example.urgency,))
    return (example.rule, *priority, f"/{way}/{example.team}", kind, example.team)


def found(doc: IncidentDoc, requests: Sequence[Received]) -> Row:
    """The same of an incident and the one delivery about it."""
    (request,) = (request for request in requests if pages.data(request)["incident"] == doc.id)
    told, score = pages.data(request), doc.score
    assert told["priority"] == score.priority
    team_reason = told["reasons"][-1]
    assert team_reason.startswith(f"Why {told['team']}: ")
    why = [f"- impact: {words}" for words in score.impact_reasons]
    why += [f"- urgency: {words}" for words in score.urgency_reasons]
    head = f"Why {score.priority}: impact {score.impact}, urgency {score.urgency}"
    assert told["reasons"] == [head, *why, team_reason]
    kind = pages.kind(request)
    return (doc.rule, score.priority, score.impact_reasons, score.urgency_reasons, request.path, kind, told["team"])


async def test_each_example_reaches_its_team(broker: Broker, valkey_url: str, receiver: Receiver) -> None:
    config = example_config(receiver.url)
    count = len(EXAMPLES)
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:
        await tell(h, firing=True)
        state = await h.pipeline.until("one incident each", lambda s: len(s.incidents) == count and s.count == count)
        await receiver.wait_count(count)
        rows = {doc.title: found(doc, receiver.received) for doc in state.incidents.values()}
        assert rows == {example.title: expected(example) for example in EXAMPLES}

        await tell(h, firing=False)
        state = await h.pipeline.until(
            "all are over and counted",
            lambda s: (
                s.count == 2 * count and all(doc.status is IncidentStatus.RESOLVED for doc in s.incidents.values())
            ),
        )
        assert len(state.incidents) == count
        received = await receiver.wait_count(2 * count)
        # Each is told to be over where it was told to be wrong.
        first = Counter((request.path, pages.data(request)["incident"]) for request in received[:count])
        last = Counter((request.path, pages.data(request)["incident"]) for request in received[count:])
        assert first == last
        assert set(pages.kinds(received[count:])) == {"resolve"}
        assert set(pages.copies(received).values()) == {1}
