"""What people read: titles and bodies for every action, with the reasons, by sandboxed templates.

Templates are the project's or the operator's; what alerts say is only ever data to them. Everything that leaves is
plain text without control characters and of bounded length.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import PackageLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kernel.clock import rfc3339
from kernel.model.delivery import Action, LedgerKey
from kernel.model.incident import Headline
from notifier.channels.base import Text
from notifier.channels.runes import clean, cut, one_line

TITLE_RUNES = 250
BODY_RUNES = 6_000
LINE_RUNES = 300
REASONS = 20
_NAMES = 20
_VALUE_RUNES = 1_000

# What a template of an operator may raise when the data is not as it expects; nothing else is caught.
_RENDER_ERRORS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_environment = ImmutableSandboxedEnvironment(
    loader=PackageLoader("notifier", "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # plain text; what shows it escapes it
    keep_trailing_newline=False,
)
_title = _environment.get_template("title.j2")
_body = _environment.get_template("body.j2")


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)


def _names(values: tuple[str, ...]) -> list[str]:
    """Names for a line of text: the first 20, and how many more."""
    shown = [cut(one_line(value), 100) for value in values[:_NAMES]]
    if len(values) > _NAMES:
        shown.append(f"and {len(values) - _NAMES} more")
    return shown


def _pairs(values: Mapping[str, str]) -> dict[str, str]:
    return {cut(one_line(name), 100): cut(one_line(value), _VALUE_RUNES) for name, value in values.items()}


def variables(headline: Headline, action: Action, title: str) -> dict[str, Any]:
    """What templates may use; all of it clean, single-line text, numbers, lists and mappings of text."""
    return {
        "action": action.value,
        "title": title,
        "id": headline.id,
        "tenant": cut(one_line(headline.tenant), 100),
        "status": headline.status.value,
        "rule": cut(one_line(headline.rule), 100),
        "group": _pairs(headline.group),
        "labels": _pairs(headline.labels),
        "priority": headline.priority.value,
        "reached": headline.reached.value,
        "severity": headline.severity.value,
        "impact": headline.score.impact.value,
        "urgency": headline.score.urgency.value,
        "summary": cut(one_line(headline.summary), _VALUE_RUNES),
        "services": _names(headline.services),
        "sources": _names(headline.sources),
        "team": cut(one_line(headline.team or ""), 100),
        "members": headline.members,
        "firing": headline.firing,
        "count": headline.count,
        "opened_at": rfc3339(headline.opened_at),
        "changed_at": rfc3339(headline.changed_at),
        "answered_by": cut(one_line(headline.answered_by or ""), 100),
        "predecessor": headline.predecessor or "",
        "links": [(cut(one_line(text), 100), one_line(href)) for text, href in headline.links[:10]],
    }


def check_template(source: str) -> None:
    """Raises ValueError with what is wrong where `source` is no template at all."""
    try:
        _compiled(source)
    except TemplateError as error:
        raise ValueError(f"the title is not a template: {error}") from error


def _named(headline: Headline, action: Action, template: str | None) -> tuple[str, tuple[str, ...]]:
    """The incident's own title, and a line that says so where the rule's template did not work."""
    default = cut(one_line(headline.title), TITLE_RUNES) or f"incident {headline.id}"
    if template is None:
        return default, ()
    try:
        made = one_line(_compiled(template).render(variables(headline, action, default)))
    except _RENDER_ERRORS as error:
        why = cut(one_line(f"{type(error).__name__}: {error}"), 150)
        return default, (f"The title template of the rule {headline.rule} failed, the default is used: {why}",)
    if not made:
        return default, (f"The title template of the rule {headline.rule} gave nothing, the default is used",)
    return cut(made, TITLE_RUNES), ()


def reasons(headline: Headline, team: str | None, team_reason: str) -> tuple[str, ...]:
    """Why this priority and why this team, a line each."""
    score = headline.score
    lines = [f"Why {headline.priority}: impact {score.impact}, urgency {score.urgency}"]
    lines += [f"- impact: {words}" for words in score.impact_reasons]
    lines += [f"- urgency: {words}" for words in score.urgency_reasons]
    if team_reason:
        lines.append(f"Why {team or 'the console'}: {team_reason}")
    return tuple(lines)


def compose(
    headline: Headline, key: LedgerKey, team: str | None, team_reason: str, template: str | None = None
) -> Text:
    """The text of one delivery. `team` and `team_reason` are the route's; `template` is the rule's `title`.

    A template that fails at render, or renders to nothing, gives way to the default title, and the text says so.
    """
    title, notice = _named(headline, key.action, template)
    said = (*notice, *reasons(headline, team, team_reason))
    lines = tuple(cut(one_line(line), LINE_RUNES) for line in said)
    if len(lines) > REASONS:
        # The last line says why this team: it stays.
        left = len(lines) - REASONS + 1
        lines = (*lines[: REASONS - 2], f"and {left} more reasons", lines[-1])
    # The key says what this page is for: a later raise has a page of its own.
    words = variables(headline, key.action, title) | {"reached": key.priority.value, "reasons": lines}
    return Text(
        title=cut(one_line(_title.render(words)), TITLE_RUNES),
        body=cut(clean(_body.render(words)).strip(), BODY_RUNES),
        reasons=lines,
    )
