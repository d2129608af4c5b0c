"""What every role of a process is given: clients, clock, configuration, metrics. Made once, by the composition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kernel.bus.clients import Bus
from kernel.bus.topics import TopicNames
from kernel.clock import Clock, SystemClock
from kernel.config.schema import Config
from kernel.config.settings import Settings
from kernel.steps import NoSteps, Steps
from kernel.store.client import Store
from kernel.store.keys import Keys
from kernel.telemetry.health import Health
from kernel.telemetry.metrics import Metrics


@dataclass
class Context:
    """Shared by the roles of one process. `config` gives the configuration in force; `config_hash` names it."""

    settings: Settings
    bus: Bus
    store: Store
    config: Callable[[], Config]
    metrics: Metrics
    health: Health
    clock: Clock = field(default_factory=SystemClock)
    steps: Steps = field(default_factory=NoSteps)
    config_hash: Callable[[], str] = lambda: ""

    @property
    def keys(self) -> Keys:
        """The deployment's Redis keys."""
        return Keys(self.settings.namespace)

    @property
    def topics(self) -> TopicNames:
        """The deployment's topics."""
        return TopicNames.with_prefix(self.settings.topic_prefix, self.settings.downstream_prefix)

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"{self.settings.namespace}.{role}"
