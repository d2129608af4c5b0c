"""What changed, as the API tells it: recent changes, and those that may have to do with an incident."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from ingest.adapters.reading import moment
from kernel.clock import Millis, rfc3339
from kernel.config.schema import Config
from kernel.config.values import Duration
from kernel.model.change import ChangeOutcome
from kernel.model.naming import shard_tag
from kernel.model.state import KnownChange
from kernel.store.changes import ChangeListing
from kernel.store.incidents import Detail

MOST_WITH_INCIDENT: Final = 20


class ChangeView(Struct, kw_only=True):
    """A change. `began` is the earliest time that any message about it told, `at` that of the newest one; `why` says
    what it has in common with the incident that it is shown with.
    """

    fingerprint: str
    what: str
    name: str
    outcome: ChangeOutcome
    service: str | None
    where: str | None
    who: str | None
    revision: str | None
    link: str | None
    summary: str
    source: str
    tenant: str
    began: str
    at: str
    labels: dict[str, str]
    why: str | None = None


class ChangeList(Struct, kw_only=True):
    """Changes, the newest first. `lost_shards` are those whose changes cannot be told now."""

    changes: list[ChangeView]
    lost_shards: list[str] = field(default_factory=list)
    error: str | None = None


def change_view(known: KnownChange, why: str | None = None) -> ChangeView:
    """One change."""
    change = known.change
    return ChangeView(
        fingerprint=change.fingerprint,
        what=change.what,
        name=change.name,
        outcome=change.outcome,
        service=change.service,
        where=change.where,
        who=change.who,
        revision=change.revision,
        link=change.link,
        summary=change.summary,
        source=change.source,
        tenant=change.tenant,
        began=rfc3339(known.first),
        at=rfc3339(change.when),
        labels=change.labels,
        why=why,
    )


def changes_view(listing: ChangeListing) -> ChangeList:
    """The answer to a listing, with an error where shards are lost."""
    tags = [shard_tag(shard) for shard in listing.lost]
    error = None
    if tags:
        named = ", ".join(tags)
        error = f"the state of {named} is not in the store: lost, or not claimed yet; the other changes are here"
    return ChangeList(changes=[change_view(known) for known in listing.changes], lost_shards=tags, error=error)


def related(detail: Detail, changes: Iterable[KnownChange], config: Config) -> list[ChangeView]:
    """Of these changes the ones of a service or an environment of the incident, at most 20."""
    facts = [held for _, held in detail.members if held is not None]
    services = {held.service for held in facts if held.service} | {detail.doc.labels.get("service", "")} - {""}
    labels = (detail.doc.labels, *(held.labels for held in facts))
    names = config.priority.environment_label
    environments = {one[name].lower() for one in labels for name in names if one.get(name)}
    found: list[ChangeView] = []
    for known in changes:
        if known.change.service in services:
            found.append(change_view(known, f"the same service, {known.change.service}"))
        elif known.change.where and known.change.where.lower() in environments:
            found.append(change_view(known, f"the same environment, {known.change.where}"))
    return found[:MOST_WITH_INCIDENT]


def since_when(text: str, now: Millis) -> Millis:
    """`2h` before now, or a time of RFC 3339. Raises ValueError with what would be right."""
    try:
        return now - Duration.parse(text)
    except ValueError:
        at = moment(text)
    if at <= 0:
        raise ValueError(f"since is {text[:40]!r}; write how long ago (2h) or a time (2025-11-23T03:53:20Z)")
    return at
