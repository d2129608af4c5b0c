"""Detected, classified, assigned: the table of examples under the example configuration, each told and then over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ingest.adapters.registry import ADAPTERS
from kernel.config.load import load
from kernel.config.schema import Config, TeamConfig, Webhook
from kernel.model.incident import IncidentStatus
from kernel.model.state import IncidentDoc
from notifier.texts import check_template
from tests.conftest import Broker
from tests.scenarios import pages
from tests.scenarios.examples import EXAMPLES, JSON, PROMETHEUS, Example, prometheus
from tests.scenarios.inprocess import House, house
from tests.scenarios.senders import ENVIRON, Told, now_ms, post, slack_button, slack_message, with_proofs, zendesk
from tests.servers.receiver import Received, Receiver


def example_config(url: str, directory: Path) -> Config:
    """The example configuration with proofs, and channels of its own: each team has a pager and a chat at `url`."""
    config = load(with_proofs(directory), ENVIRON, adapters=ADAPTERS, title=check_template).config
    channels = {
        f"{way}-{team}": Webhook(url=f"{url}/{way}/{team}", allow_private=True, per_minute=60_000)
        for team in config.teams
        for way in ("page", "notify")
    }
    teams = {team: TeamConfig(page=(f"page-{team}",), notify=(f"notify-{team}",)) for team in config.teams}
    return msgspec.structs.replace(config, channels=channels, teams=teams)


async def tell(h: House, over: bool) -> None:
    """Every example by its own door."""
    at = now_ms()
    for example in EXAMPLES:
        if told := example.tell(at, over):
            await post(h, told)


async def press_resolve(h: House, docs: Iterable[IncidentDoc]) -> int:
    """A person says that those are over whose senders never do. The number of them."""
    by_hand = {example.title for example in EXAMPLES if example.tell(0, True) is None}
    found = [doc for doc in docs if doc.title in by_hand]
    for doc in found:
        await post(h, slack_button("resolve", f"{doc.id}#{doc.episode}", now_ms()))
    return len(found)


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


async def test_each_example_reaches_its_team(
    broker: Broker, valkey_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    config = example_config(receiver.url, tmp_path)
    count = len(EXAMPLES)
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:
        await tell(h, over=False)
        state = await h.pipeline.until("one incident each", lambda s: len(s.incidents) == count and s.count == count)
        await receiver.wait_count(count)
        rows = {doc.title: found(doc, receiver.received) for doc in state.incidents.values()}
        assert rows == {example.title: expected(example) for example in EXAMPLES}

        await tell(h, over=True)
        by_hand = await press_resolve(h, state.incidents.values())
        assert by_hand == 2
        state = await h.pipeline.until(
            "all are over and counted",
            lambda s: (
                s.count == 2 * count - by_hand
                and all(doc.status is IncidentStatus.RESOLVED for doc in s.incidents.values())
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
        assert await h.pipeline.dead() == []


async def test_several_tickets_about_one_failure_are_one_incident(
    broker: Broker, valkey_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    config = example_config(receiver.url, tmp_path)
    subjects = ("Paying fails with an error", "My order is stuck", "Cannot buy anything")
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:

        async def ticket(number: int, over: bool) -> None:
            tags = ("service:checkout", f"customer_{number}")
            await post(h, zendesk(500 + number, subjects[number], "HIGH", now_ms(), over, *tags))

        for number in (0, 1, 2, 1):  # the second comes again
            await ticket(number, over=False)
        # What monitoring says of the same service, and a person in chat, is about the same failure.
        at = now_ms()
        labels = {"service": "checkout", "severity": "critical"}
        await post(h, Told(PROMETHEUS, prometheus("Errors", "5xx at 30 %", labels, at, True), JSON))
        await post(h, slack_message("P2 nobody can pay service:checkout", at))
        # Another failure.
        await post(h, zendesk(600, "Search finds nothing", "NORMAL", at, False, "service:search"))
        state = await h.pipeline.until("all are attributed", lambda s: s.count == 7)
        assert sorted((doc.group["service"], doc.firing) for doc in state.incidents.values()) == [
            ("checkout", 5),
            ("search", 1),
        ]
        (incident,) = (doc for doc in state.incidents.values() if doc.group["service"] == "checkout")
        assert incident.score.priority == "P2"
        await receiver.wait_count(2)
        assert [(request.path, pages.kind(request)) for request in pages.of(receiver.received, "checkout")] == [
            ("/page/payments", "page")
        ]

        # It is over when the last of them is.
        await ticket(0, over=True)
        await ticket(1, over=True)
        await post(h, Told(PROMETHEUS, prometheus("Errors", "5xx at 30 %", labels, now_ms(), False), JSON))
        state = await h.pipeline.until("three are over", lambda s: s.incidents[incident.id].firing == 2)
        assert state.incidents[incident.id].status is IncidentStatus.OPEN
        await ticket(2, over=True)
        await post(h, slack_button("resolve", f"{incident.id}#{incident.episode}", now_ms()))
        await h.pipeline.until("it is over", lambda s: s.incidents[incident.id].status is IncidentStatus.RESOLVED)
        await receiver.wait_count(3)
        assert pages.kinds(pages.of(receiver.received, "checkout")) == ["page", "resolve"]
