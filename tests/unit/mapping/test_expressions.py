"""Expressions: what they find, what is refused before it runs, and what stops one that costs too much."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.config.expressions import Expression, Language, NoValue, Scope, TooLarge

CEL = Language.CEL


def of(text: str, body: Any, language: Language = Language.JMESPATH) -> Any:
    return Expression(text, language).of(Scope.of(body, {"x-kind": "page"}))


@pytest.mark.parametrize(
    ("text", "body", "found"),
    [
        ("a.b[1].c", {"a": {"b": [{}, {"c": 7}]}}, 7),
        ("a.b.c", {"a": "text"}, None),
        ("a || b || 'none'", {"b": "x"}, "x"),
        ("capture(a, '^on (\\S+)')", {"a": "on web-1 now"}, "web-1"),
        ("capture(a, 'web')", {"a": "on web-1"}, "web"),
        ("capture(a, 'db-(\\d)')", {"a": "on web-1"}, None),
        ("capture(a, 'x')", {}, None),
        ("lower(a)", {"a": "DOWN"}, "down"),
        ("lower(a)", {}, None),
        ('headers."x-kind"', {}, "page"),
        ("root.headers", {"headers": "its own"}, "its own"),
        ("root[0].a", [{"a": 1}], 1),
        ("root", "just text", "just text"),
        ("items[?on].join(': ', [k, v]) | join(', ', @)", {"items": [{"on": True, "k": "a", "v": "b"}]}, "a: b"),
    ],
)
def test_paths(text: str, body: Any, found: Any) -> None:
    assert of(text, body) == found


@pytest.mark.parametrize(
    ("text", "body", "found"),
    [
        ("level >= 12 ? 'high' : 'low'", {"level": 12}, "high"),
        ("level > 11.5", {"level": 12}, True),
        ("has(a.b) ? a.b : 'none'", {"a": {}}, "none"),
        ("a.b", {"a": {}}, None),
        ("a[3]", {"a": [1]}, None),
        ("nothing.here", {}, None),
        ("tags.exists(t, t == 'prod')", {"tags": ["web", "prod"]}, True),
        ("tags.filter(t, t.startsWith('env:'))", {"tags": ["env:prod", "web"]}, ["env:prod"]),
        ("name.matches('^(a+)+$')", {"name": "a" * 500 + "b"}, False),
        ("'a.map(' + name", {"name": ".exists("}, "a.map(.exists("),
        ("timestamp(at)", {"at": "2026-03-02T09:00:00+01:00"}, "2026-03-02T09:00:00+01:00"),
        ("root.a", {"a": 1}, 1),
    ],
)
def test_cel(text: str, body: Any, found: Any) -> None:
    assert of(text, body, CEL) == found


def test_text_is_itself() -> None:
    assert of("a.b", {"a": {"b": 1}}, Language.TEXT) == "a.b"


def test_fields_beside_the_messages_own_hide_them() -> None:
    inner = Scope.of({"root": 1, "item": 2, "a": 3}, {}).of_item({"item": 4, "root": 5, "b": 6})
    assert Expression("[root.a, root.root, item.b, item.item, b, a]").of(inner) == [3, 1, 6, 4, 6, None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a[", "Incomplete expression"),
        ("", "empty"),
        ("upper(a)", "there is no function upper()"),
        ("join(a)", "join() takes 2 arguments, not 1"),
        ("capture(a, b)", "must stand in single quotes"),
        ("capture(a, '(')", "is not RE2: missing )"),
        ("capture(a, '(?=x)')", "is not RE2"),
        ("(" * 600 + "a" + ")" * 600, "nested too deep"),
        ("!" * 60 + "a", "nested too deep"),
        ("a || " * 60 + "b", "nested too deep"),
        ("a | [@, @][]" + " | [@, @][]" * 20, "far more of a message"),
        ("{a: @, b: @}" + " | {a: @, b: @}" * 20, "far more of a message"),
        ("'ab'" + " | join(@, [@, @])" * 30, "far more of a message"),
        ("to_string([@])" + " | to_string([@])" * 9, "far more of a message"),
        ("a[?b == " + "[@, @] | " * 10 + "c]", "far more of a message"),
        ("map(&[@, @], a)" + " | map(&[@, @], @)" * 9, "far more of a message"),
        ("a" * 2_001, "at most 2000 characters"),
    ],
)
def test_paths_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        Expression(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a +", "ERROR"),
        ("a.map(x, a)", "map() is left to JMESPath"),
        ("a . map (x, a)", "map() is left to JMESPath"),
        ("a.exists(x, b.all(y, x == y))", "more than once"),
        ("a.matches(b)", "must be a text in quotes"),
        ("a.matches('x' + b)", "must be a text in quotes"),
        ("a.matches('(')", "is no pattern"),
        ("a.replace('x', 'y')", "there is no function replace()"),
        ("matches(a, 'x')", "must be a text in quotes"),
        ("(" * 600 + "a" + ")" * 600, "is not cel"),
    ],
)
def test_cel_that_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="is not cel") as caught:
        Expression(text, CEL)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "language", "body"),
    [
        ("starts_with(a, 'x')", Language.JMESPATH, {"a": 1}),
        ("starts_with(a, 'x')", Language.JMESPATH, {}),
        ("max(a)", Language.JMESPATH, {"a": [1, "x"]}),
        ("a[::0]", Language.JMESPATH, {"a": [1]}),
        ("join(a, b)", Language.JMESPATH, {"a": "x" * 1_000, "b": ["y"] * 1_000}),
        ("a.b.c", CEL, {"a": {"b": "text"}}),
        ("a + 1", CEL, {"a": "x"}),
        ("1 / a", CEL, {"a": 0}),
        ("timestamp(a)", CEL, {"a": "yesterday"}),
        ("uint(a)", CEL, {"a": -1}),
        ("size(a)", CEL, {"a": [0] * 1_001}),
        ("size(root)", CEL, {"a": [{"b": [0] * 500}, {"b": [0] * 500}]}),
    ],
)
def test_what_has_no_value_says_why(text: str, language: Language, body: Any) -> None:
    with pytest.raises(NoValue) as caught:
        of(text, body, language)
    assert str(caught.value).startswith(f"{text}: ")
    assert "\n" not in str(caught.value)


def test_a_message_has_so_many_steps_and_no_more() -> None:
    scope = Scope.of({"a": [0] * 100_000}, {})
    path, program = Expression("length(a[?@ == `1`])"), Expression("size(headers)", CEL)
    for _ in range(2):
        assert path.of(scope) == 0
    with pytest.raises(TooLarge, match="steps"):
        [path.of(scope) for _ in range(10)]
    for expression in (path, program, Expression("x", Language.TEXT)):
        with pytest.raises(TooLarge):
            expression.of(scope.of_item({}))
    assert path.of(Scope.of({"a": [1]}, {})) == 1


def test_fields_that_an_expression_begins_with() -> None:
    assert list(Expression("a.b[?c].d || join(', ', e[*].f) || root.g || item.h").fields()) == ["a", "e"]
    assert not list(Expression("a", CEL).fields())


def test_alike_is_equal() -> None:
    assert Expression("a") == Expression("a")
    assert hash(Expression("a")) == hash(Expression("a"))
    assert Expression("a") != Expression("a", CEL)
    assert Expression("a") != "a"
    assert repr(Expression("a", CEL)) == "Expression(cel: a)"
