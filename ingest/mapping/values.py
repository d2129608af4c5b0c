"""What an expression found, as the text, the words and the lists that an alert is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.adapters.base import NotUnderstood, Parsed, Reason
from ingest.adapters.reading import kind_of, scalar, time_of, time_or_none
from kernel.clock import Millis
from kernel.config.expressions import Expression, NoValue, Scope, TooLarge


def value(expression: Expression | None, scope: Scope) -> Any:
    """The value, None for no expression. Raises NotUnderstood for one that cannot be taken of this message."""
    if expression is None:
        return None
    try:
        return expression.of(scope)
    except TooLarge as error:
        raise NotUnderstood(Reason.TOO_LARGE, str(error)) from error
    except NoValue as error:
        raise NotUnderstood(Reason.WRONG_TYPE, str(error)) from error


def text(expression: Expression | None, scope: Scope, what: str) -> str:
    """A text; numbers and booleans as JSON writes them, a list of these apart by commas, nothing for null."""
    return as_text(value(expression, scope), what)


def as_text(found: Any, what: str) -> str:
    """As `text`, of a value."""
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    if isinstance(found, bool | int | float):
        return scalar(found)
    if isinstance(found, list):
        return ", ".join(as_text(item, what) for item in found[:100] if item is not None)
    raise NotUnderstood(Reason.WRONG_TYPE, f"{what} must be text, got {kind_of(found)}")


def texts(expressions: Mapping[str, Expression], scope: Scope, what: str) -> dict[str, str]:
    """Texts by name; the entries of an object under the name `*`."""
    found: dict[str, str] = {}
    for name, expression in expressions.items():
        if name == "*":
            found.update(_entries(value(expression, scope), what))
        else:
            found[name] = text(expression, scope, f"{what}.{name}")
    return found


def _entries(found: Any, what: str) -> Iterator[tuple[str, str]]:
    if found is None:
        return
    if not isinstance(found, dict):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what}.* must be an object, got {kind_of(found)}")
    for name, item in found.items():
        # What is nested has no one text, and is left out as it is for the sources with an adapter.
        if isinstance(item, str | bool | int | float):
            yield name, as_text(item, what)


def moment(expression: Expression | None, scope: Scope, what: str, parsed: Parsed) -> Millis | None:
    """RFC 3339 or a Unix time as milliseconds; None where there is none."""
    found = value(expression, scope)
    return time_or_none(time_of(found, what, digits=True), parsed)


def holds(expression: Expression, scope: Scope) -> bool:
    """Whether a condition holds: anything but false, null and what is empty. A type that it does not take is no.

    Raises NotUnderstood (`too_large`) for a message that is too large to tell.
    """
    try:
        found = value(expression, scope)
    except NotUnderstood as error:
        if error.reason is Reason.TOO_LARGE:
            raise
        return False
    return found is not None and found is not False and found not in ("", [], {})
