"""Encoding of everything that stormfold itself writes: JSON by msgspec, so that a person can read it with kcat.

`Undecodable` is raised for bytes that are not what the topic or key should hold.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kernel.model.delivery import DeliveryRow
from kernel.model.incident import IncidentRecord
from kernel.model.signals import CommandEnvelope, SignalRecord


class Undecodable(ValueError):
    """A record that stormfold should have written is not readable: another version's, or somebody else's."""


_encoder: Final = msgspec.json.Encoder()
_signals: Final = msgspec.json.Decoder(SignalRecord)
_incidents: Final = msgspec.json.Decoder(IncidentRecord)
_deliveries: Final = msgspec.json.Decoder(DeliveryRow)
_commands: Final = msgspec.json.Decoder(CommandEnvelope)


def encode(value: Any) -> bytes:
    """Any struct of the model as JSON bytes."""
    return _encoder.encode(value)


def _decode(decoder: msgspec.json.Decoder[Any], data: bytes, what: str) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Undecodable(f"not a record of {what}: {error}") from error


def decode_signals(data: bytes) -> SignalRecord:
    """A record of `signals`."""
    record: SignalRecord = _decode(_signals, data, "signals")
    return record


def decode_incidents(data: bytes) -> IncidentRecord:
    """A record of `incidents`."""
    record: IncidentRecord = _decode(_incidents, data, "incidents")
    return record


def decode_delivery(data: bytes) -> DeliveryRow:
    """A record of `deliveries`."""
    row: DeliveryRow = _decode(_deliveries, data, "deliveries")
    return row


def decode_command(data: bytes) -> CommandEnvelope:
    """The value of a command in `answers.raw`."""
    envelope: CommandEnvelope = _decode(_commands, data, "answers.raw")
    return envelope
