"""What a dead letter says of itself."""

import pytest
from aiokafka.structs import ConsumerRecord

from ingest.adapters.base import Reason, Refusal
from ingest.slice import DeadLetter


@pytest.mark.parametrize(
    ("given", "attempt"),
    [(None, b"1"), (b"", b"1"), (b"1", b"2"), (b"41", b"42"), (b"x", b"1"), (b"-3", b"1"), (b"9" * 5_000, b"1")],
)
def test_the_attempt_is_counted_whatever_a_sender_wrote(given: bytes | None, attempt: bytes) -> None:
    headers = (("source", b"generic"), ("attempt", given))
    record = ConsumerRecord("alerts.raw", 2, 7, 0, 0, None, b"{", None, 0, 0, headers)
    letter = DeadLetter(record, Reason.INVALID_JSON, [Refusal(0, Reason.INVALID_JSON, "ends too early")])
    found = dict(letter.to_record("alerts.raw").headers)
    assert (found["attempt"], found["source"], found["origin-offset"]) == (attempt, b"generic", b"7")
