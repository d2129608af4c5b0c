"""From a source's configuration to what proves its messages."""

from __future__ import annotations

from ingest.origin.base import Prover
from ingest.origin.certificates import Certificates
from kernel.config.schema import SourceConfig


def prover_for(source_name: str, settings: SourceConfig, certificates: Certificates) -> Prover | None:
    """What proves the messages of this source; None where its door is open (neither `token` nor `proof`)."""
    raise NotImplementedError
