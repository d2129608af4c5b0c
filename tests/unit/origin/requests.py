"""Requests as the door makes them, and provers as a configuration makes them."""

from __future__ import annotations

from pathlib import Path

from ingest.origin.base import NotProven, Proven, Prover, Request
from ingest.origin.certificates import Certificates
from ingest.origin.registry import prover_for
from kernel.config.proof import ProofConfig
from kernel.config.schema import SourceConfig
from kernel.config.values import Secret

NOW = 1_763_870_000_000
SECRET = "the first secret"
OTHER = "the second secret"


def request(body: bytes = b"{}", **headers: bytes | str) -> Request:
    """A POST; underscores in the names of headers stand for dashes."""
    given = {
        name.replace("_", "-").lower(): value.encode() if isinstance(value, str) else value
        for name, value in headers.items()
    }
    return Request("POST", "/v1/sources/s", b"", given, body)


def secrets(*values: str) -> tuple[Secret, ...]:
    """As if read from the environment."""
    return tuple(Secret.resolve({"env": f"X{i}"}, {f"X{i}": value}, Path()) for i, value in enumerate(values))


def prover(proof: ProofConfig, certificates: Certificates | None = None) -> Prover:
    """What proves the messages of a source `s` with this proof."""
    made = prover_for("s", SourceConfig(proof=proof), certificates or Certificates())
    assert made is not None
    return made


async def refused(made: Prover, given: Request, now: int = NOW) -> NotProven:
    """The refusal of a request; fails where it is proven."""
    try:
        proven = await made.check(given, now)
    except NotProven as error:
        return error
    raise AssertionError(f"proven: {proven}")


async def accepted(made: Prover, given: Request, now: int = NOW) -> Proven:
    """What is known of a request that is proven."""
    return await made.check(given, now)
