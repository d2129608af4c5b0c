"""What people read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.model.delivery import Action
from kernel.model.incident import IncidentStatus, Level, Priority, Score
from notifier.channels.base import Text
from notifier.texts import BODY_RUNES, LINE_RUNES, REASONS, TITLE_RUNES, check_template, compose
from tests.channels.examples import delivery, headline

WHY = "the team payments owns the service checkout"


def text(action: Action = Action.PAGE, template: str | None = None, **changes: Any) -> Text:
    line = headline(**changes)
    return compose(line, delivery(action, **changes).key, line.team, WHY, template)


def test_a_page_says_what_why_who_and_since_when() -> None:
    made = text()
    assert made.title == "P1 checkout: 5xx at 12 %"
    assert made.reasons == (
        "Why P1: impact high, urgency high",
        "- impact: checkout is tier 1",
        "- urgency: severity critical",
        "- urgency: production",
        f"Why payments: {WHY}",
    )
    assert made.body.splitlines() == [
        "5xx at 12 % for 5 min",
        "Incident s07-abcdefghijklmnop, P1, since 2025-11-23T03:52:20Z",
        "Services: checkout",
        "Members: 3, of which 3 firing; alerts: 12 from prometheus",
        "Rule: by-service (service=checkout)",
        *made.reasons,
        "dashboard: https://grafana.example.org/d/1",
    ]


@pytest.mark.parametrize(
    ("action", "changes", "title", "first"),
    [
        (Action.UPDATE, {"priority": Priority.P3}, "P3 ", "5xx at"),
        (Action.ACKNOWLEDGE, {"answered_by": "ann"}, "Acknowledged: ", "Acknowledged by ann at 2025-11-23T03:53:19Z."),
        (Action.ACKNOWLEDGE, {}, "Acknowledged: ", "Acknowledged at 2025-11-23T03:53:19Z."),
        (Action.RESOLVE, {"firing": 0}, "Resolved: ", "Resolved at 2025-11-23T03:53:19Z."),
        (
            Action.RESOLVE,
            {"answered_by": "bob", "firing": 2},
            "Resolved: ",
            "Resolved at 2025-11-23T03:53:19Z by bob; 2 of 3 members still fire.",
        ),
        (Action.RESOLVE, {"status": IncidentStatus.WITHDRAWN}, "Withdrawn: ", "Withdrawn at 2025-11-23T03:53:19Z: "),
    ],
)
def test_every_action_has_words_of_its_own(action: Action, changes: dict[str, Any], title: str, first: str) -> None:
    made = text(action, **changes)
    assert made.title == f"{title}checkout: 5xx at 12 %"
    assert made.body.splitlines()[0].startswith(first)


def test_a_page_carries_the_priority_it_was_decided_for() -> None:
    line = headline(priority=Priority.P3)
    made = compose(line, delivery(reached=Priority.P2).key, "payments", WHY)
    assert made.title.startswith("P2 ")
    assert "P3 (reached P2)" in made.body


def test_a_rules_template_makes_the_title() -> None:
    made = text(template="{{ labels.env }}/{{ services | join('+') }} x{{ count }}: {{ title }}")
    assert made.title == "P1 prod/checkout x12: checkout: 5xx at 12 %"
    assert "template" not in made.body


@pytest.mark.parametrize(
    "template",
    [
        "in {{ labels.nowhere }}",
        "of {{ nothing }}",
        "{{ count / 0 }}",
        "{{ services[7] }}",
        "{{ count + title }}",
        "{% for x in %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ labels.update({'a': 'b'}) }}",
        "{% include 'nowhere.j2' %}",
        "{{ range(10000000) | list }}",
        "   ",
    ],
)
def test_a_template_that_fails_gives_way_and_the_text_says_so(template: str) -> None:
    made = text(template=template)
    assert made.title == "P1 checkout: 5xx at 12 %"
    assert made.reasons[0].startswith("The title template of the rule by-service ")
    assert made.reasons[0] in made.body


def test_what_alerts_say_is_never_a_template() -> None:
    attack = "{{ 7 * 7 }}{% for x in y %}"
    made = text(title=attack, summary=attack, labels={"env": attack}, template="{{ title }} {{ labels.env }}")
    assert made.title == f"P1 {attack} {attack}"
    assert attack in made.body


def test_a_broken_template_is_found_before_it_is_used() -> None:
    check_template("{{ title }}")
    with pytest.raises(ValueError, match="not a template"):
        check_template("{{ title")


_HOSTILE = st.text(st.characters(), max_size=3_000) | st.just("\x1b]0;pwned\x07\x9b2J\u202e\ud800\r\n") | st.just("")


@given(_HOSTILE, _HOSTILE, st.sampled_from(list(Action)), st.integers(0, 60))
def test_whatever_alerts_say_the_text_is_plain_and_bounded(one: str, two: str, action: Action, many: int) -> None:
    made = text(
        action,
        title=one,
        summary=two,
        rule=two,
        tenant=one,
        team=two,
        answered_by=one,
        predecessor="s07-aaaaaaaaaaaaaaaa",
        group={one: two},
        labels={two: one},
        services=(one, two) * many,
        sources=(two,) * many,
        links=tuple((one, two) for _ in range(many)),
        score=Score(Priority.P1, Level.HIGH, Level.LOW, (one,) * many, (two,) * many),
        template="{{ title }} {{ services }} {{ labels }}" if many % 2 else None,
    )
    assert 0 < len(made.title) <= TITLE_RUNES
    assert len(made.body) <= BODY_RUNES
    assert len(made.reasons) <= REASONS
    assert all(len(line) <= LINE_RUNES and "\n" not in line for line in made.reasons)
    assert made.reasons[-1].startswith("Why ")
    for rune in made.title + "".join(made.reasons):
        assert rune not in "\r\n\t\x1b\x07\x9b\u202e"
    made.body.encode()
    made.title.encode()
    assert "\x1b" not in made.body
    assert "s07-abcdefghijklmnop" in made.body or len(made.body) == BODY_RUNES
