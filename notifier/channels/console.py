"""The console: one line for each page, update, acknowledgement and resolve, for laptops and for the demo."""

from __future__ import annotations

from collections import OrderedDict

from kernel.clock import rfc3339
from kernel.model.delivery import Action, Outcome
from notifier.channels.base import Cause, Delivery, Result, Writer
from notifier.channels.runes import cut, one_line

# As many deliveries as a console can be asked to repeat between a restart of its shard and the ledger's reading on.
_REMEMBERED = 10_000
_LINE_RUNES = 500


class ConsoleChannel:
    """Writes lines to the process's own output; a delivery id is printed once."""

    idempotent = True
    keyed_by_priority = False

    def __init__(self, name: str, write: Writer) -> None:
        self.name = name
        self._write = write
        self._seen: OrderedDict[str, None] = OrderedDict()

    def supports(self, action: Action) -> bool:
        """A line can say anything."""
        return action in Action

    async def send(self, delivery: Delivery) -> Result:
        """Print the line, unless this delivery id was printed before. A broken output is tried again later."""
        delivery_id = delivery.key.delivery_id
        if delivery_id not in self._seen:
            try:
                self._write(line_of(delivery))
            except OSError as error:
                return Result(Outcome.RETRY, Cause.CONNECTION, f"the output cannot be written: {error.strerror}")
            self._seen[delivery_id] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return Result(Outcome.SENT, Cause.OK, remote_id=delivery_id)


def line_of(delivery: Delivery) -> str:
    """`2025-11-23T03:53:20Z page P1 s07-… title (3 members, 12 alerts; team x)`, at most 500 runes, no controls."""
    line = delivery.headline
    team = f"; team {line.team}" if line.team else ""
    title = delivery.text.title.removeprefix(f"{delivery.key.priority} ")
    # Counts come up to a second behind the first page.
    counted = f", {line.count} alerts" if line.count else ""
    text = (
        f"{rfc3339(delivery.sent_at_ms)} {delivery.action} {delivery.key.priority} {line.id} {title} "
        f"({line.members} members{counted}{team})"
    )
    return cut(one_line(text), _LINE_RUNES)
