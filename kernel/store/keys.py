"""The catalogue of every Redis key: pattern, type, lifetime, hash tag. No key is written that is not made here.

| key                           | type   | lifetime  | what                                                          |
|-------------------------------|--------|-----------|---------------------------------------------------------------|
| `NS:{TOPICID.pN}:cut`         | hash   | permanent | `done`, `intent`: how far a raw partition is cut              |
| `NS:{sNN}:win:BUCKET`         | hash   | 2 leases+ | fingerprint -> mark of the last observation that went through |
| `NS:progress`                 | hash   | permanent | `TOPICID.N` -> arrival time up to which that partition is cut |
| `NS:seen:SOURCE:HASH`         | string | as told   | there: a delivery of that name was taken at the door          |
| `NS:{sNN}:c:chain`            | hash   | permanent | correlator: epoch, owner, turn, topic, pos, echo, fences      |
| `NS:{sNN}:c:members`          | hash   | permanent | fingerprint -> Member                                         |
| `NS:{sNN}:c:facts`            | hash   | permanent | fingerprint -> Facts                                          |
| `NS:{sNN}:c:incidents`        | hash   | permanent | incident id -> IncidentDoc                                    |
| `NS:{sNN}:c:waiting`          | hash   | permanent | counts and commands that wait for what they belong to         |
| `NS:{sNN}:c:changes`          | hash   | permanent | fingerprint -> KnownChange, at most 1,000                     |
| `NS:{sNN}:c:timers`           | zset   | permanent | timer -> due time in ms                                       |
| `NS:{sNN}:c:outbox`           | stream | permanent | records decided, not yet published                            |
| `NS:{sNN}:n:chain`            | hash   | permanent | notifier: epoch, owner, turn, topic, pos, dtopic, dpos        |
| `NS:{sNN}:n:incidents`        | hash   | permanent | incident id -> NotifierDoc (headline and ledger)              |
| `NS:{sNN}:n:due`              | zset   | permanent | ledger key or clean-up -> due time in ms                      |
| `NS:{sNN}:n:outbox`           | stream | permanent | delivery rows decided, not yet published                      |

`NS` is the namespace of the deployment. "Permanent" keys are bounded by what they describe: entries leave with
their incident, their partition or their acknowledgement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernel.model.naming import shard_tag

PERMANENT = re.compile(
    r"^[^:]+:(?:progress|\{[0-9a-f]{32}\.p\d+\}:cut|\{s\d+\}:c:(?:chain|members|facts|incidents|waiting|changes|timers|outbox)"
    r"|\{s\d+\}:n:(?:chain|incidents|due|outbox))$"
)


@dataclass(frozen=True)
class Keys:
    """Makes every key of one deployment."""

    namespace: str

    def cut(self, topic_id: str, partition: int) -> str:
        """`done` and `intent` of a raw partition."""
        return f"{self.namespace}:{{{topic_id}.p{partition}}}:cut"

    def window(self, shard: int, bucket: int) -> str:
        """The window marks of a shard in one bucket of arrival time."""
        return f"{self.namespace}:{{{shard_tag(shard)}}}:win:{bucket}"

    @property
    def progress(self) -> str:
        """How far every raw partition is cut, in arrival time."""
        return f"{self.namespace}:progress"

    def seen(self, source: str, name_hash: str) -> str:
        """That a delivery of a source was taken. Each lies where its name falls: they are asked for one by one."""
        return f"{self.namespace}:seen:{source}:{name_hash}"

    def correlator(self, shard: int, part: str) -> str:
        """One of chain, members, facts, incidents, waiting, changes, timers, outbox."""
        return f"{self.namespace}:{{{shard_tag(shard)}}}:c:{part}"

    def notifier(self, shard: int, part: str) -> str:
        """One of chain, incidents, due, outbox."""
        return f"{self.namespace}:{{{shard_tag(shard)}}}:n:{part}"
