"""Reading a shard back from Redis, as a new owner does once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from correlator.state import PARTS, Beat, Incident, Shard, SourceSeen
from correlator.waiting import WaitingCommand, WaitingCounts
from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.incident import IncidentStatus
from kernel.model.state import Facts, IncidentDoc, KnownChange, Member, MemberState
from kernel.store.client import Store
from kernel.store.keys import Keys

_member: Final = msgspec.json.Decoder(Member)
_facts: Final = msgspec.json.Decoder(Facts)
_incident: Final = msgspec.json.Decoder(IncidentDoc)
_change: Final = msgspec.json.Decoder(KnownChange)
_counts: Final = msgspec.json.Decoder(WaitingCounts)
_commands: Final = msgspec.json.Decoder(list[WaitingCommand])
_source: Final = msgspec.json.Decoder(SourceSeen)
_beat: Final = msgspec.json.Decoder(Beat)


async def load(
    store: Store,
    keys: Keys,
    number: int,
    chain: dict[str, str],
    config: Config,
    claimed_at: Millis,
    confirm: Callable[[], Awaitable[None]],
) -> Shard:
    """The shard as its last turn left it. `chain` are the fields that the claim returned.

    `confirm` is called once all is read, and raises where the parts may not belong together.
    """
    shard = Shard(number, claimed_at=claimed_at)
    shard.position, shard.echo = int(chain["pos"]), int(chain["echo"])
    shard.epoch, shard.owner = int(chain["epoch"]), chain["owner"]
    for name, value in chain.items():
        if name.startswith(("fence:", "commands:")):
            shard.fences[name] = value
        elif name.startswith("total:"):
            shard.totals[name.removeprefix("total:")] = int(value)
    raw: dict[str, dict[bytes, bytes]] = {}
    for part in PARTS[:-1]:
        raw[part] = await store.hgetall(keys.correlator(number, part))
    timers = await store.zrange_scores(keys.correlator(number, "timers"))
    await confirm()
    shard.incidents = {key.decode(): Incident(_incident.decode(data)) for key, data in raw["incidents"].items()}
    shard.facts = {key.decode(): _facts.decode(data) for key, data in raw["facts"].items()}
    shard.members = {key.decode(): _member.decode(data) for key, data in raw["members"].items()}
    shard.changes = {key.decode(): _change.decode(data) for key, data in raw["changes"].items()}
    _waiting(shard, raw["waiting"])
    _derive(shard, config)
    shard.restore_timers({name.decode(): int(due) for name, due in timers})
    return shard


def _waiting(shard: Shard, raw: dict[bytes, bytes]) -> None:
    targets: dict[str, tuple[dict[str, Any], msgspec.json.Decoder[Any]]] = {
        "n": (shard.counts, _counts),
        "c": (shard.commands, _commands),
        "s": (shard.sources, _source),
        "h": (shard.beats, _beat),
    }
    for name, data in raw.items():
        kind, _, key = name.decode().partition(":")
        entries, decoder = targets[kind]
        entries[key] = decoder.decode(data)


def _derive(shard: Shard, config: Config) -> None:
    """What follows from members and documents: extents, indices."""
    for member in shard.members.values():
        incident = shard.incidents.get(member.incident)
        if incident is None:
            continue
        incident.members.add(member.fingerprint)
        incident.first = min(incident.first, member.first)
        if member.state is MemberState.FIRING and not member.handled:
            facts = shard.facts[member.fingerprint]
            incident.extent.add(facts.service, facts.labels, member.severity, config)
            incident.extent.firsts.append(member.first)
            incident.holding += member.valid_for is None
            incident.newest_valid = False
    for name, incident in sorted(shard.incidents.items(), key=lambda item: item[1].doc.opened_at):
        doc = incident.doc
        if doc.status not in (IncidentStatus.CLOSED, IncidentStatus.WITHDRAWN):
            place = (doc.rule, doc.group_key)
            known = shard.incidents.get(shard.current.get(place, ""))
            if known is None or doc.predecessor == known.doc.id or not known.doc.status.live:
                shard.current[place] = name
            if doc.status.live:
                shard.live.setdefault(place, set()).add(name)
        if doc.predecessor and doc.page_above is not None:
            shard.successors.setdefault(doc.predecessor, set()).add(name)
