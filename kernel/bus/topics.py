"""The topics of a pipeline: what they are called, how they must be, and the port that makes them so."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, for_code

from kernel.bus.topic_ids import TopicInfo, known_topics

DAY_MS = 86_400_000
DELIVERIES_RETENTION_MS = 30 * DAY_MS
DEAD_PARTITIONS = 4

_TIMESTAMP_TYPE = "message.timestamp.type"
_RETENTION = "retention.ms"
_SOURCE_TOPIC = 1  # DescribeConfigs: set on the topic itself, not inherited
_ALREADY_EXISTS = 36
_VISIBLE_DEADLINE_S = 15.0
_VISIBLE_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic must be.

    ``retention_ms`` None leaves the broker's default. ``log_append_time`` makes record timestamps the broker's clock.
    ``growable`` topics may have more partitions than asked and get more where they have fewer; every other topic's
    partition number has a meaning (a shard, or a key's place), so its count is fixed at creation.
    """

    name: str
    partitions: int
    retention_ms: int | None
    log_append_time: bool
    growable: bool = False


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The names of a pipeline's topics."""

    alerts: str
    answers: str
    signals: str
    incidents: str
    deliveries: str
    dead: str

    @classmethod
    def with_prefix(cls, prefix: str, downstream_prefix: str | None = None) -> "TopicNames":
        """Names under ``prefix``; ``downstream_prefix`` puts all but the two raw topics under another one.

        The latter reads the same raw topics again into a pipeline of its own.
        """
        down = prefix if downstream_prefix is None else downstream_prefix
        return cls(
            alerts=prefix + "alerts.raw",
            answers=prefix + "answers.raw",
            signals=down + "signals",
            incidents=down + "incidents",
            deliveries=down + "deliveries",
            dead=down + "alerts.dead",
        )


def topic_specs(
    prefix: str, shards: int, raw_partitions: int, answers_partitions: int, downstream_prefix: str | None = None
) -> tuple[TopicSpec, ...]:
    """The topics a pipeline needs; names as :meth:`TopicNames.with_prefix` gives them."""
    names = TopicNames.with_prefix(prefix, downstream_prefix)
    return (
        TopicSpec(names.alerts, raw_partitions, None, log_append_time=True, growable=True),
        TopicSpec(names.answers, answers_partitions, None, log_append_time=True),
        TopicSpec(names.signals, shards, None, log_append_time=False),
        TopicSpec(names.incidents, shards, None, log_append_time=False),
        TopicSpec(names.deliveries, shards, DELIVERIES_RETENTION_MS, log_append_time=False),
        TopicSpec(names.dead, DEAD_PARTITIONS, None, log_append_time=False, growable=True),
    )


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One difference between a topic and its spec; ``text`` is for people.

    ``kind``: ``create``, ``grow`` (add partitions), ``config``, or ``refused``: a difference nothing may change.
    """

    topic: str
    kind: Literal["create", "grow", "config", "refused"]
    text: str


class TopicsRefused(RuntimeError):
    """The topics cannot be made as asked; nothing was changed. ``changes`` are the refused ones."""

    def __init__(self, changes: Sequence[TopicChange]) -> None:
        self.changes = tuple(changes)
        super().__init__("; ".join(change.text for change in changes))


class BrokerUnreachable(ConnectionError):
    """No broker of the bootstrap list let this client in."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(
            f"no Kafka broker lets this client in at {bootstrap}: check address, security protocol, user and password "
            "(a wrong password looks like a closed port from here; the broker's log has the reason)"
        )


class TopicPort(Protocol):
    """Makes topics as they must be; one implementation a kind of broker."""

    async def plan(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """What differs from ``specs``, in their order; empty when all is well. Changes nothing."""
        ...

    async def apply(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """Make every topic as its spec says and return what was changed.

        Raises :class:`TopicsRefused`, before anything is changed, where a fixed partition count differs.
        """
        ...


def partition_change(spec: TopicSpec, info: TopicInfo | None, *, can_grow: bool = True) -> TopicChange | None:
    """Compare existence and partition count with the spec; None when they agree."""
    if info is None:
        return TopicChange(spec.name, "create", f"{spec.name}: create with {spec.partitions} partitions")
    have, want = info.partitions, spec.partitions
    if have == want or (spec.growable and have > want):
        return None
    if spec.growable and can_grow:
        return TopicChange(spec.name, "grow", f"{spec.name}: add partitions, {have} to {want}")
    why = "this broker cannot add partitions" if spec.growable else "the partition count is fixed when it is created"
    return TopicChange(
        spec.name,
        "refused",
        f"{spec.name}: has {have} partitions, the configuration says {want}, and {why}. "
        f"Set the configuration to {have}, or use another topic prefix",
    )


def raise_refused(changes: Iterable[TopicChange]) -> None:
    """Raise :class:`TopicsRefused` if any change is a refused one."""
    if refused := [change for change in changes if change.kind == "refused"]:
        raise TopicsRefused(refused)


def _wanted_configs(spec: TopicSpec) -> dict[str, str]:
    wanted: dict[str, str] = {}
    if spec.log_append_time:
        wanted[_TIMESTAMP_TYPE] = "LogAppendTime"
    if spec.retention_ms is not None:
        wanted[_RETENTION] = str(spec.retention_ms)
    return wanted


def config_changes(spec: TopicSpec, configs: Mapping[str, str]) -> dict[str, str]:
    """The settings of the spec that ``configs`` (the topic's own, by name) does not meet.

    A longer retention than asked is an operator's right and no change.
    """
    changes: dict[str, str] = {}
    for name, value in _wanted_configs(spec).items():
        have = configs.get(name)
        if name == _RETENTION and have is not None and (int(have) == -1 or int(have) >= int(value)):
            continue
        if have != value:
            changes[name] = value
    return changes


class KafkaTopics:
    """:class:`TopicPort` of a real Kafka, by its admin API.

    ``security`` are aiokafka's keyword arguments for TLS and SASL. ``replication`` None means three copies, or as many
    as there are brokers.
    """

    def __init__(
        self, bootstrap: str, security: Mapping[str, Any] | None = None, replication: int | None = None
    ) -> None:
        self._bootstrap = bootstrap
        self._security = dict(security or {})
        self._replication = replication

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=15_000, **self._security)
        try:
            await admin.start()
        except KafkaConnectionError as error:
            await admin.close()
            raise BrokerUnreachable(self._bootstrap) from error
        try:
            yield admin
        finally:
            await admin.close()

    async def plan(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        async with self._admin() as admin:
            return (await _Difference.read(admin, specs)).changes()

    async def apply(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        async with self._admin() as admin:
            difference = await _Difference.read(admin, specs)
            changes = difference.changes()
            raise_refused(changes)
            kinds = {(change.topic, change.kind) for change in changes}
            missing = [spec for spec in specs if (spec.name, "create") in kinds]
            if missing:
                await self._create(admin, missing)
            grow = {spec.name: NewPartitions(spec.partitions) for spec in specs if (spec.name, "grow") in kinds}
            if grow:
                await admin.create_partitions(grow)
            if altered := difference.altered():
                await _alter(admin, altered)
            if changes:
                await _wait_visible(admin, specs)
            return changes

    async def _create(self, admin: Any, specs: Sequence[TopicSpec]) -> None:
        replication = self._replication
        if replication is None:
            replication = min(3, len((await admin.describe_cluster())["brokers"]))
        topics = [
            NewTopic(spec.name, spec.partitions, replication, topic_configs=_wanted_configs(spec)) for spec in specs
        ]
        reply = await admin.create_topics(topics)
        for name, code, message in reply.topic_errors:
            # Another process may have made it between the plan and now.
            if code not in (0, _ALREADY_EXISTS):
                raise for_code(code)(f"could not create topic {name}: {message}")


@dataclass(frozen=True, slots=True)
class _Difference:
    """What the broker has beside what it should have."""

    specs: Sequence[TopicSpec]
    topics: Mapping[str, TopicInfo]
    effective: Mapping[str, Mapping[str, str]]
    own: Mapping[str, Mapping[str, str]]

    @classmethod
    async def read(cls, admin: Any, specs: Sequence[TopicSpec]) -> "_Difference":
        topics = await known_topics(admin._client, [spec.name for spec in specs])  # noqa: SLF001 - it has no accessor
        effective: dict[str, dict[str, str]] = {name: {} for name in topics}
        own: dict[str, dict[str, str]] = {name: {} for name in topics}
        if topics:
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(topics)]
            for reply in await admin.describe_configs(resources):
                for code, message, _type, name, entries in reply.resources:
                    if code:
                        raise for_code(code)(f"could not read the settings of topic {name}: {message}")
                    for key, value, _read_only, source, *_ in entries:
                        effective[name][key] = value
                        if source == _SOURCE_TOPIC:
                            own[name][key] = value
        return cls(specs, topics, effective, own)

    def changes(self) -> list[TopicChange]:
        found: list[TopicChange] = []
        for spec in self.specs:
            info = self.topics.get(spec.name)
            if change := partition_change(spec, info):
                found.append(change)
            if info is not None:
                have = self.effective[spec.name]
                found.extend(
                    TopicChange(spec.name, "config", f"{spec.name}: set {key}={value} (now {have.get(key, 'unset')})")
                    for key, value in config_changes(spec, have).items()
                )
        return found

    def altered(self) -> dict[str, dict[str, str]]:
        """Whole new settings of the topics that need any: AlterConfigs replaces all, so a topic's others stay in."""
        altered: dict[str, dict[str, str]] = {}
        for spec in self.specs:
            if spec.name in self.topics and (changes := config_changes(spec, self.effective[spec.name])):
                altered[spec.name] = {**self.own[spec.name], **changes}
        return altered


async def _wait_visible(admin: Any, specs: Sequence[TopicSpec]) -> None:
    """The controller answers before the brokers know; a consumer that starts too early misses the topic for long."""
    try:
        async with asyncio.timeout(_VISIBLE_DEADLINE_S):
            while (await _Difference.read(admin, specs)).changes():  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(_VISIBLE_POLL_S)
    except TimeoutError:
        raise TimeoutError(
            f"the broker accepted the topics but does not show them as asked after {_VISIBLE_DEADLINE_S:.0f} s: "
            "look at the controller's log"
        ) from None


async def _alter(admin: Any, settings: Mapping[str, Mapping[str, str]]) -> None:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(own)) for name, own in settings.items()]
    for reply in await admin.alter_configs(resources):
        for code, message, _type, name in reply.resources:
            if code:
                raise for_code(code)(f"could not change the settings of topic {name}: {message}")
