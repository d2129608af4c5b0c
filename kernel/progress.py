"""How far ingest has come, over all raw partitions: the moment before which every raw message is in `signals`."""

from __future__ import annotations

from collections.abc import Mapping

from kernel.bus.topic_ids import TopicInfo
from kernel.clock import Millis


def least_progress(stated: Mapping[bytes, bytes], topics: Mapping[str, TopicInfo]) -> Millis:
    """The least progress of all partitions of the raw topics; 0 where one of them has stated none yet.

    `stated` maps `TOPICID.N` to an arrival time; `topics` are the raw topics as the broker knows them, at most 10 s
    old: a partition that was just added holds the time back until ingest reads it.
    """
    least: Millis | None = None
    for info in topics.values():
        for partition in range(info.partitions):
            value = stated.get(f"{info.id}.{partition}".encode())
            if value is None:
                return 0
            at = int(value)
            least = at if least is None or at < least else least
    return least or 0
