"""Whether an observation goes through in full or is a repeat: a pure function of the last mark and the observation.

The rules are those of the design's second idea: only what was durably emitted is suppressed, and only on lease.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from kernel.clock import Millis
from kernel.model.alert import Severity, Stamp, Status
from kernel.model.signals import Passed


class Mark(Struct, array_like=True, gc=False):
    """The newest observation known of a fingerprint, and the arrival of the last one that went through in full."""

    status: Status
    severity: Severity
    stamp: Stamp
    leased: Millis


FULL = frozenset(
    (Passed.FIRST_SIGHT, Passed.STATUS_CHANGE, Passed.SEVERITY_CHANGE, Passed.REOPENED, Passed.LEASE_EXPIRED)
)
"""Reasons with which an observation goes through."""


def decide(mark: Mark | None, status: Status, severity: Severity, stamp: Stamp, lease: Millis) -> Passed:
    """The reason with which an observation passes, or is kept back (REPEAT, OLDER). Changes nothing."""
    if mark is None:
        return Passed.FIRST_SIGHT
    if stamp <= mark.stamp:
        return Passed.OLDER
    if status is not mark.status:
        return Passed.REOPENED if status is Status.FIRING else Passed.STATUS_CHANGE
    if severity is not mark.severity:
        return Passed.SEVERITY_CHANGE
    if stamp.arrival >= mark.leased + lease:
        return Passed.LEASE_EXPIRED
    return Passed.REPEAT


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Mark)


def pack(mark: Mark) -> bytes:
    """A mark as it stands in Redis."""
    return _encoder.encode(mark)


def unpack(data: bytes) -> Mark | None:
    """A mark read back; None for what another version wrote: the alert then goes through in full, which heals."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None
