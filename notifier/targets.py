"""Every target of the configuration: its channel, its pace and circuit, what is under way to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import structlog

from kernel.clock import Millis
from kernel.config.schema import Config, Console
from kernel.model.delivery import Action, Outcome
from notifier.channels.base import Cause, Channel, Delivery, Result, Writer
from notifier.channels.registry import build
from notifier.pace import Limits, Pace, answered, taken, wait_ms
from notifier.routes import BUILTIN_CONSOLE

log = structlog.get_logger(__name__)

AT_ONCE = 16
OWN_PER_MINUTE = 6_000
LOOK_AGAIN_MS = 5


@dataclass(slots=True)
class Target:
    """One target. `under_way` counts deliveries whose row is decided and whose answer is not there yet."""

    channel: Channel | None
    limits: Limits
    kind: str
    pace: Pace = field(default_factory=Pace)
    under_way: int = 0
    disabled: str = ""


class Targets:
    """The targets of one process, made anew when the configuration changes; `own` are there whatever that says."""

    def __init__(
        self,
        config: Callable[[], Config],
        http: aiohttp.ClientSession,
        console: Writer,
        own: Mapping[str, Channel] | None = None,
    ) -> None:
        self._own = own or {}
        self._config = config
        self._http = http
        self._console = console
        self._of: Config | None = None
        self._targets: dict[str, Target] = {}

    def get(self, name: str) -> Target:
        """The target of that name; one that is not (or no longer) configured refuses everything."""
        config = self._config()
        if config is not self._of:
            self._rebuild(config)
        return self._targets.get(name) or Target(None, Limits(1), "none", disabled="the target is not configured")

    def _rebuild(self, config: Config) -> None:
        old, self._targets, self._of = self._targets, {}, config
        wanted = dict(config.channels)
        wanted.setdefault(BUILTIN_CONSOLE, Console())
        for name, section in wanted.items():
            limits, kind = Limits(section.per_minute), type(section).__name__.lower()
            try:
                target = Target(build(name, section, self._http, self._console), limits, kind)
            except ValueError as error:
                log.warning("a target cannot be used", target=name, why=str(error))
                target = Target(None, limits, kind, disabled=str(error))
            self._targets[name] = target
        for name, channel in self._own.items():
            self._targets[name] = Target(channel, Limits(OWN_PER_MINUTE), "canary")
        for name in old.keys() & self._targets.keys():
            self._targets[name].pace, self._targets[name].under_way = old[name].pace, old[name].under_way

    def keyed_by_priority(self, name: str) -> bool:
        """Whether each priority is a remote object of its own there."""
        channel = self.get(name).channel
        return channel is not None and channel.keyed_by_priority

    def idempotent(self, name: str) -> bool:
        """Whether a repeat of a delivery does no harm there; a target that is gone harms nobody."""
        channel = self.get(name).channel
        return channel is None or channel.idempotent

    def supports(self, name: str, action: Action) -> bool:
        """Whether the target can express the action."""
        channel = self.get(name).channel
        return channel is not None and channel.supports(action)

    def wait(self, name: str, now: Millis) -> int:
        """Milliseconds until one more delivery may go there; 0 is now."""
        target = self.get(name)
        if target.under_way >= AT_ONCE:
            return LOOK_AGAIN_MS
        return 0 if target.disabled else wait_ms(target.pace, target.limits, now)

    def begin(self, name: str, now: Millis) -> None:
        """One delivery is about to go."""
        target = self.get(name)
        target.under_way += 1
        target.pace = taken(target.pace, target.limits, now)

    def end(self, name: str) -> None:
        """One delivery is over, sent or not."""
        target = self.get(name)
        target.under_way = max(0, target.under_way - 1)

    async def send(self, delivery: Delivery, now: Callable[[], Millis]) -> Result:
        """Send to the delivery's target; never raises for trouble at the other side."""
        target = self.get(delivery.key.target)
        if target.channel is None or target.disabled:
            return Result(Outcome.FAILED, Cause.DISABLED, target.disabled or "the target is disabled")
        result = await target.channel.send(delivery)
        target.pace = answered(target.pace, result, now())
        if result.disable:
            target.disabled = f"it refused us for good ({result.reason}); change its configuration"
            log.error("a target is disabled", target=delivery.key.target, why=result.detail)
        return result
