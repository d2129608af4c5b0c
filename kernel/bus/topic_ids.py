"""Topic ids, the epoch of every stored position.

A topic that is deleted and created again starts over at offset 0 under its old name; only its id tells. aiokafka stops
at Metadata v5, which does not carry ids, so this module speaks Metadata v10 itself. It rests on ``aiokafka.protocol``,
which is not public API: keep every use of it here.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

_UNKNOWN_TOPIC = 3
_NO_LEADER = 5
_TOO_OLD = "Kafka 2.8 or newer is needed"
_NO_ID = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the broker knows it.

    ``id`` is 32 lower-case hex digits, new after each creation; ``partitions`` is the count at the time of the answer.
    """

    id: str
    partitions: int


class UnknownTopics(LookupError):
    """The broker does not have these topics; ``names`` is sorted."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        listed = ", ".join(self.names)
        super().__init__(f"the broker has no topic named {listed}: run `stormfold topics apply`")


class TopicMetadataError(RuntimeError):
    """The broker answered, but not with what was asked (authorisation, or a broker older than Kafka 2.8)."""


class _Uuid:
    """The protocol's UUID: 16 bytes, as written."""

    @staticmethod
    def encode(value: uuid.UUID) -> bytes:
        return value.bytes

    @staticmethod
    def decode(data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))

    repr = str


_STRING = CompactString("utf-8")


# aiokafka is untyped, so its base classes are Any to mypy: hence the ignores below.
class _MetadataResponse10(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node", Int32), ("host", _STRING), ("port", Int32), ("rack", _STRING), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", _STRING),
        ("controller", Int32),
        (
            "topics",
            CompactArray(
                ("error", Int16),
                ("name", _STRING),
                ("id", _Uuid),
                ("internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequest10(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse10
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("topics", CompactArray(("id", _Uuid), ("name", _STRING), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicMetadata(Request[_MetadataRequest10]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def build(self, request_struct_class: type[_MetadataRequest10]) -> _MetadataRequest10:
        # Never creates: an auto-created topic would have a partition count nobody chose.
        return request_struct_class([(_NO_ID, name, {}) for name in self._names], False, False, False, {})


async def known_topics(client: Any, names: Iterable[str]) -> dict[str, TopicInfo]:
    """Ask the broker for the named topics; those it does not have are left out.

    ``client`` is a started ``aiokafka.client.AIOKafkaClient``: the ``client`` of a producer, or one of your own.
    Raises :class:`TopicMetadataError` where the broker refuses, and aiokafka's connection errors.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    try:
        reply = await client.send(client.get_random_node(), _TopicMetadata(wanted))
    except NotImplementedError as error:
        raise TopicMetadataError(f"the broker does not know topic ids (Metadata v10): {_TOO_OLD}") from error
    found: dict[str, TopicInfo] = {}
    for code, name, topic_id, _internal, partitions, _operations, _tags in reply.topics:
        if code == _UNKNOWN_TOPIC:
            continue
        # While leaders are being elected right after creation the id and the count are already right.
        if code not in (0, _NO_LEADER):
            raise TopicMetadataError(
                f"error {code} from the broker for topic {name}: check that this user may describe it"
            )
        if topic_id == _NO_ID:
            raise TopicMetadataError(f"the broker gives topic {name} no id: {_TOO_OLD}")
        found[name] = TopicInfo(id=topic_id.hex, partitions=len(partitions))
    return found


async def topic_ids(client: Any, names: Iterable[str]) -> dict[str, TopicInfo]:
    """Id and partition count of every named topic.

    Raises :class:`UnknownTopics` naming those that do not exist, else as :func:`known_topics`.
    """
    wanted = set(names)
    found = await known_topics(client, wanted)
    if missing := wanted - found.keys():
        raise UnknownTopics(missing)
    return found


def joined_ids(topics: Mapping[str, TopicInfo], names: Sequence[str]) -> str:
    """The ids of the topics that one stored position belongs to, in the order of `names`, as they are stored."""
    return "+".join(topics[name].id for name in names)
