"""What is owed to whom: pages, updates, acknowledgements and resolves follow from headlines and rows alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from kernel.config.schema import Config, RouteConfig, TeamConfig, Webhook
from kernel.model.delivery import Action, DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import Fact, Headline, IncidentEvent, IncidentStatus, Level, Priority, Score
from kernel.model.state import LedgerEntry, NotifierDoc
from notifier.ledger import Ledger, blocked, pointless, read_row

P1, P2, P3, P4 = Priority
OPEN, ACKED, RESOLVED, CLOSED, WITHDRAWN = IncidentStatus
T0 = 1_800_000_000_000

CONFIG = Config(
    teams={"sre": TeamConfig(page=("pager", "hook"), notify=("chat",), fallback=("last",))},
    routes=(RouteConfig(team="sre"),),
    channels={name: Webhook(url="http://127.0.0.1/") for name in ("pager", "hook", "chat", "last")},
)


@dataclass
class Story:
    """An incident's facts one after the other; `keyed` targets have a remote object for each priority."""

    keyed: frozenset[str] = frozenset()
    config: Config = CONFIG
    doc: NotifierDoc = field(default_factory=lambda: NotifierDoc("s01-abcdefghijklmnop"))
    revision: int = 0

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.config, self.keyed.__contains__, lambda target, action: (target, action) != ("chat", "?"))

    def tell(
        self,
        status: IncidentStatus,
        reached: Priority,
        *,
        episode: str = "e1",
        priority: Priority | None = None,
        **more: object,
    ) -> list[tuple[Action, Priority, str]]:
        """The next fact; returns what it newly owes."""
        self.revision += 1
        line = Headline(
            id=self.doc.incident,
            tenant="default",
            status=status,
            episode=episode,
            rule="r",
            group={},
            title="t",
            priority=priority or reached,
            reached=reached,
            score=Score(priority or reached, Level.HIGH, Level.HIGH),
            opened_at=T0,
            changed_at=T0,
            cause_arrival=T0,
        )
        line = msgspec.structs.replace(line, **more)
        event = IncidentEvent(Fact.JOINED, 1, self.revision, T0, "because", line)
        return [(e.key.action, e.key.priority, e.key.target) for e in self.ledger.take(self.doc, event)]

    def end_all(self, outcome: Outcome = Outcome.SENT) -> None:
        """Everything under way is over."""
        for entry in self.doc.ledger:
            if not entry.final:
                entry.outcome = outcome


def test_one_page_for_each_target_and_no_second_for_the_same_headline() -> None:
    story = Story()
    assert story.tell(OPEN, P2) == [(Action.PAGE, P2, "pager"), (Action.PAGE, P2, "hook")]
    assert story.tell(OPEN, P2) == []


def test_a_raise_pages_again_and_a_fall_never() -> None:
    story = Story()
    assert story.tell(OPEN, P3) == [(Action.UPDATE, P3, "chat")]
    assert story.tell(OPEN, P2) == [(Action.PAGE, P2, "pager"), (Action.PAGE, P2, "hook")]
    assert story.tell(OPEN, P2, priority=P4) == []
    assert story.tell(OPEN, P1) == [(Action.PAGE, P1, "pager"), (Action.PAGE, P1, "hook")]


def test_a_reader_that_missed_the_opening_pages_what_was_reached_although_it_fell() -> None:
    assert Story().tell(OPEN, P1, priority=P4) == [(Action.PAGE, P1, "pager"), (Action.PAGE, P1, "hook")]


def test_an_older_fact_changes_nothing() -> None:
    story = Story()
    story.tell(OPEN, P2)
    story.revision -= 1
    assert story.tell(RESOLVED, P2) == []
    assert story.doc.headline is not None
    assert story.doc.headline.status is OPEN


def test_a_resolve_goes_to_everything_that_was_told_once() -> None:
    story = Story()
    story.tell(OPEN, P3)
    story.tell(OPEN, P2)
    story.end_all()
    owed = story.tell(RESOLVED, P2)
    assert owed == [(Action.RESOLVE, P3, "chat"), (Action.RESOLVE, P2, "pager"), (Action.RESOLVE, P2, "hook")]
    assert story.tell(CLOSED, P2) == []


def test_where_each_priority_is_an_object_the_old_one_is_resolved_behind_the_new_one() -> None:
    story = Story(frozenset({"pager"}))
    story.tell(OPEN, P2)
    owed = story.tell(OPEN, P1)
    assert owed == [(Action.PAGE, P1, "pager"), (Action.PAGE, P1, "hook"), (Action.RESOLVE, P2, "pager")]
    story.end_all()
    assert sorted(story.tell(RESOLVED, P1)) == [(Action.RESOLVE, P1, "hook"), (Action.RESOLVE, P1, "pager")]


def test_a_new_episode_pages_anew_and_takes_the_old_one_back_if_nobody_did() -> None:
    story = Story()
    story.tell(OPEN, P2)
    story.end_all()
    assert story.tell(OPEN, P2, episode="e2") == [
        (Action.PAGE, P2, "pager"),
        (Action.PAGE, P2, "hook"),
        (Action.RESOLVE, P2, "pager"),
        (Action.RESOLVE, P2, "hook"),
    ]


def test_an_acknowledgement_goes_to_who_was_paged_once() -> None:
    story = Story()
    story.tell(OPEN, P2)
    assert story.tell(ACKED, P2) == [(Action.ACKNOWLEDGE, P2, "pager"), (Action.ACKNOWLEDGE, P2, "hook")]
    assert story.tell(ACKED, P2) == []


@pytest.mark.parametrize(("above", "reached", "pages"), [(P2, P2, 0), (P2, P1, 2), (None, P2, 2), (P1, P1, 0)])
def test_a_linked_incident_pages_only_above_its_predecessor(
    above: Priority | None, reached: Priority, pages: int
) -> None:
    assert len(Story().tell(OPEN, reached, page_above=above)) == pages


def test_a_priority_reached_by_configuration_alone_pages_nobody() -> None:
    story = Story()
    assert story.tell(OPEN, P2, quiet=P2) == []
    assert len(story.tell(OPEN, P1, quiet=P2)) == 2


def test_withdrawn_takes_back_what_was_said_and_opens_nothing() -> None:
    assert Story().tell(WITHDRAWN, P1) == []
    story = Story()
    story.tell(OPEN, P1)
    story.end_all()
    assert {key[0] for key in story.tell(WITHDRAWN, P1)} == {Action.RESOLVE}


def entry(story: Story, n: int = 0) -> LedgerEntry:
    return story.doc.ledger[n]


def row(key: LedgerKey, outcome: Outcome, attempt: int = 1, owner: str = "me", retry: int = 0) -> DeliveryRow:
    return DeliveryRow(key, attempt, outcome, 1, owner, T0, retry_after_ms=retry)


def test_the_first_row_of_an_attempt_says_who_may_send() -> None:
    story = Story()
    story.tell(OPEN, P2)
    e = entry(story)
    e.outcome, e.by = Outcome.ABOUT, "me"
    read_row(story.doc, row(e.key, Outcome.ABOUT, owner="other"), 10)
    read_row(story.doc, row(e.key, Outcome.ABOUT, owner="me"), 11)
    assert (e.by, e.first_offset) == ("other", 10)


def test_nothing_overrules_sent_and_sent_overrules_everything() -> None:
    story = Story()
    story.tell(OPEN, P2)
    e = entry(story)
    for outcome in (Outcome.ABOUT, Outcome.FAILED, Outcome.SENT, Outcome.RETRY, Outcome.ABOUT):
        read_row(story.doc, row(e.key, outcome), 1)
    assert e.outcome is Outcome.SENT


def test_a_row_of_a_forgotten_incident_is_remembered() -> None:
    doc = NotifierDoc("s01-zzzzzzzzzzzzzzzz")
    key = LedgerKey(doc.incident, "e1", Action.PAGE, P1, 0, "pager")
    read_row(doc, row(key, Outcome.ABOUT, owner="other"), 5)
    read_row(doc, row(key, Outcome.SENT, owner="other"), 6)
    story = Story(doc=doc)
    assert [owed for owed in story.tell(OPEN, P1) if owed[2] == "pager"] == []


def test_a_retry_waits_as_long_as_the_target_asked() -> None:
    story = Story()
    story.tell(OPEN, P2)
    e = entry(story)
    settled = read_row(story.doc, row(e.key, Outcome.RETRY, retry=90_000), 1)
    assert settled is e
    assert story.ledger.after(story.doc, e, T0) == []
    assert (e.attempt, e.outcome) == (2, None)
    assert e.due >= T0 + 90_000


def test_what_was_not_sent_goes_again_at_once() -> None:
    story = Story()
    story.tell(OPEN, P2)
    e = entry(story)
    read_row(story.doc, row(e.key, Outcome.NOT_SENT), 1)
    story.ledger.after(story.doc, e, T0)
    assert (e.attempt, e.outcome, e.due) == (2, None, T0)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN])
def test_a_page_that_fails_for_good_goes_to_the_fallback_once(outcome: Outcome) -> None:
    story = Story()
    story.tell(OPEN, P2)
    for e in story.doc.ledger[:2]:
        read_row(story.doc, row(e.key, outcome), 1)
    first = story.ledger.after(story.doc, entry(story, 0), T0)
    assert [(e.key.step, e.key.target) for e in first] == [(1, "last")]
    assert story.ledger.after(story.doc, entry(story, 1), T0) == []
    read_row(story.doc, row(first[0].key, outcome), 2)
    assert story.ledger.after(story.doc, first[0], T0) == []


def test_order_is_kept_for_each_target_of_an_incident() -> None:
    story = Story()
    story.tell(OPEN, P2)
    story.tell(RESOLVED, P2)
    pages, resolves = story.doc.ledger[:2], story.doc.ledger[2:]
    assert [blocked(story.doc, e) for e in (*pages, *resolves)] == [False, False, True, True]
    pages[0].outcome = Outcome.SENT
    assert [blocked(story.doc, e) for e in resolves] == [False, True]


def test_a_call_that_never_arrived_is_not_taken_back() -> None:
    story = Story()
    story.tell(OPEN, P2)
    story.tell(RESOLVED, P2)
    entry(story, 0).outcome = Outcome.FAILED
    assert [pointless(story.doc, e) for e in story.doc.ledger] == [False, False, True, False]
