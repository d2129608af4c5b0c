"""The topic port and topic ids, on each broker."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient

from kernel.bus.topic_ids import UnknownTopics, topic_ids
from kernel.bus.topics import (
    DELIVERIES_RETENTION_MS,
    BrokerUnreachable,
    KafkaTopics,
    TopicNames,
    TopicSpec,
    TopicsRefused,
    topic_specs,
)
from tests.conftest import Broker
from tests.servers.process import free_port


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[Any]:
    own: Any = AIOKafkaClient(bootstrap_servers=broker.bootstrap)
    await own.bootstrap()
    yield own
    await own.close()


def _specs(broker: Broker) -> tuple[TopicSpec, ...]:
    return topic_specs(broker.prefix, shards=4, raw_partitions=3, answers_partitions=2)


async def test_plan_then_apply_then_nothing_to_do(broker: Broker, client: Any) -> None:
    specs = _specs(broker)
    plan = await broker.topics.plan(specs)
    assert [(change.topic, change.kind) for change in plan] == [(spec.name, "create") for spec in specs]
    assert plan[0].text == f"{broker.prefix}alerts.raw: create with 3 partitions"
    assert await broker.topics.apply(specs) == plan
    assert await broker.topics.plan(specs) == []
    assert await broker.topics.apply(specs) == []
    infos = await topic_ids(client, [spec.name for spec in specs])
    assert [infos[spec.name].partitions for spec in specs] == [3, 2, 4, 4, 4, 4]


async def test_only_what_is_missing_is_made(broker: Broker, client: Any) -> None:
    specs = _specs(broker)
    await broker.topics.apply(specs[2:4])
    before = await topic_ids(client, [spec.name for spec in specs[2:4]])
    changes = await broker.topics.apply(specs)
    assert {change.topic for change in changes} == {spec.name for spec in (*specs[:2], *specs[4:])}
    assert await topic_ids(client, before) == before


async def test_fixed_partition_count_is_refused_before_anything_changes(broker: Broker) -> None:
    specs = _specs(broker)
    signals = specs[2]
    await broker.topics.apply([signals])
    wider = [dataclasses.replace(spec, partitions=8) if spec == signals else spec for spec in specs]
    with pytest.raises(TopicsRefused, match=r"signals: has 4 partitions, the configuration says 8") as caught:
        await broker.topics.apply(wider)
    assert [change.topic for change in caught.value.changes] == [signals.name]
    plan = await broker.topics.plan(wider)
    assert [change.kind for change in plan] == ["create", "create", "refused", "create", "create", "create"]


async def test_ids_last_as_long_as_the_topic(broker: Broker, client: Any) -> None:
    specs = _specs(broker)
    await broker.topics.apply(specs)
    names = [spec.name for spec in specs]
    first = await topic_ids(client, names)
    assert await topic_ids(client, names) == first
    assert len({info.id for info in first.values()}) == len(names)
    for info in first.values():
        assert len(info.id) == 32
        assert int(info.id, 16) != 0
        assert info.id == info.id.lower()


async def test_unknown_topics_are_all_named_and_not_created(broker: Broker, client: Any) -> None:
    await broker.topics.apply(_specs(broker)[:1])
    known = _specs(broker)[0].name
    missing = [f"{broker.prefix}z.none", f"{broker.prefix}a.none"]
    for _ in range(2):
        with pytest.raises(UnknownTopics) as caught:
            await topic_ids(client, [known, *missing])
        assert caught.value.names == tuple(sorted(missing))
        assert known not in str(caught.value)


async def test_ids_by_the_client_of_a_producer_and_of_a_consumer(broker: Broker) -> None:
    spec = _specs(broker)[0]
    await broker.topics.apply([spec])
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    await consumer.start()
    try:
        by_producer = await topic_ids(producer.client, [spec.name])
        by_consumer = await topic_ids(consumer._client, [spec.name])
    finally:
        await consumer.stop()
        await producer.stop()
    assert by_producer == by_consumer
    assert by_producer[spec.name].partitions == 3


def test_names_with_other_downstream_topics() -> None:
    names = TopicNames.with_prefix("a.", "b.")
    assert (names.alerts, names.answers) == ("a.alerts.raw", "a.answers.raw")
    assert (names.signals, names.incidents, names.deliveries, names.dead) == (
        "b.signals",
        "b.incidents",
        "b.deliveries",
        "b.alerts.dead",
    )
    assert TopicNames.with_prefix("") == TopicNames.with_prefix("", "")
    assert TopicNames.with_prefix("").dead == "alerts.dead"
    assert [spec.name for spec in topic_specs("a.", 1, 1, 1, "b.")] == list(dataclasses.astuple(names))


# What only a real Kafka has.


async def _configs(admin: Any, topic: str) -> dict[str, str]:
    (reply,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in reply.resources[0][4]}


async def _alter(admin: Any, topic: str, settings: Mapping[str, str]) -> None:
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(settings))])


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[Any]:
    own = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await own.start()
    yield own
    await own.close()


async def test_settings_are_made_and_drift_is_repaired(kafka_bootstrap: str, prefix: str, admin: Any) -> None:
    topics = KafkaTopics(kafka_bootstrap)
    specs = topic_specs(prefix, 2, 2, 1)
    names = TopicNames.with_prefix(prefix)
    await topics.apply(specs)
    for name in (names.alerts, names.answers):
        assert (await _configs(admin, name))["message.timestamp.type"] == "LogAppendTime"
    assert (await _configs(admin, names.signals))["message.timestamp.type"] == "CreateTime"
    assert (await _configs(admin, names.deliveries))["retention.ms"] == str(DELIVERIES_RETENTION_MS)

    await _alter(admin, names.alerts, {"message.timestamp.type": "CreateTime", "max.message.bytes": "900000"})
    await _alter(admin, names.deliveries, {"retention.ms": "60000"})
    changes = await topics.apply(specs)
    assert [change.text for change in changes] == [
        f"{names.alerts}: set message.timestamp.type=LogAppendTime (now CreateTime)",
        f"{names.deliveries}: set retention.ms={DELIVERIES_RETENTION_MS} (now 60000)",
    ]
    repaired = await _configs(admin, names.alerts)
    assert repaired["message.timestamp.type"] == "LogAppendTime"
    assert repaired["max.message.bytes"] == "900000", "the operator's own settings stay"
    await _alter(admin, names.deliveries, {"retention.ms": "-1"})
    assert await topics.plan(specs) == [], "keeping deliveries for longer is fine"


async def test_alerts_topic_grows_and_never_shrinks(kafka_bootstrap: str, prefix: str) -> None:
    topics = KafkaTopics(kafka_bootstrap)
    narrow, wide = topic_specs(prefix, 2, 2, 1), topic_specs(prefix, 2, 5, 1)
    await topics.apply(narrow)
    (change,) = await topics.apply(wide)
    assert change.text == f"{prefix}alerts.raw: add partitions, 2 to 5"
    assert await topics.plan(narrow) == []
    with pytest.raises(TopicsRefused, match=r"answers\.raw: has 1 partitions"):
        await topics.apply(topic_specs(prefix, 2, 5, 3))


async def test_record_timestamps_are_the_brokers(kafka_bootstrap: str, prefix: str) -> None:
    await KafkaTopics(kafka_bootstrap).apply(topic_specs(prefix, 1, 1, 1))
    part = TopicPartition(f"{prefix}alerts.raw", 0)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    await consumer.start()
    try:
        await producer.send_and_wait(part.topic, b"x", timestamp_ms=1000)
        consumer.assign([part])
        await consumer.seek_to_beginning(part)
        record = await consumer.getone()
    finally:
        await consumer.stop()
        await producer.stop()
    assert record.timestamp_type == 1
    assert record.timestamp > 1_600_000_000_000


async def test_nobody_listening_is_said_in_words() -> None:
    with pytest.raises(BrokerUnreachable, match="check address"):
        await KafkaTopics(f"127.0.0.1:{free_port()}").plan(topic_specs("", 1, 1, 1))
