"""Doors that stand in for a vendor's own: its paths, its rules, its answers, so that one address is all to change."""

from __future__ import annotations

from typing import Final

from ingest.gateway.dropin.opsgenie import OpsgenieDoor
from ingest.gateway.dropin.pagerduty import PagerDutyDoor
from ingest.gateway.intake import Intake
from ingest.gateway.replies import Tally
from ingest.gateway.sources import Sources
from kernel.clock import Clock
from kernel.telemetry.http import Receive, Scope, Send

PREFIXES: Final = ("/v2/", "/jsm/ops/integration/v2/")


class DropIns:
    """Those doors, by path."""

    def __init__(self, sources: Sources, intake: Intake, tally: Tally, clock: Clock) -> None:
        self._pagerduty = PagerDutyDoor(sources, intake, tally)
        self._opsgenie = OpsgenieDoor(sources, intake, tally, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; its path begins with one of `PREFIXES`."""
        if self._pagerduty.serves(scope["path"]):
            await self._pagerduty(scope, receive, send)
        else:
            await self._opsgenie(scope, receive, send)
