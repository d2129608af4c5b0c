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


def test_it_keeps_the_headers_without_which_the_record_is_read_otherwise() -> None:
    headers = (
        ("x-github-event", b"deployment"),
        ("reason", b"forged"),
        ("x-long", b"x" * 200_000),
        ("content-encoding", b"gzip"),
        ("source", b"github"),
    )
    record = ConsumerRecord("alerts.raw", 2, 7, 0, 0, None, b"x" * 2_000_000, None, 0, 0, headers)
    letter = DeadLetter(record, Reason.INVALID_JSON, [Refusal(0, Reason.INVALID_JSON, "ends too early")])
    made = letter.to_record("alerts.raw")
    found = dict(made.headers)
    assert [name for name, _ in made.headers[:4]] == ["content-encoding", "source", "x-github-event", "x-long"]
    assert (found["x-github-event"], found["reason"], found["source"]) == (b"deployment", b"invalid_json", b"github")
    assert len(made.value) + sum(len(name) + len(value) for name, value in made.headers) < 1024 * 1024
