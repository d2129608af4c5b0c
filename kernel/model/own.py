"""Names of what stormfold says of itself: nothing of a configuration may have them."""

from __future__ import annotations

from typing import Final

OWN_SOURCE: Final = "stormfold"
"""Source of alerts that the correlator makes: a heartbeat that stays away."""
HEARTBEAT_RULE: Final = "heartbeat"

CANARY_SOURCE: Final = "stormfold-canary"
CANARY_TENANT: Final = "stormfold-canary"
CANARY_RULE: Final = "stormfold-canary"
"""None that somebody's own rule has already: incidents of this rule are shown nowhere."""
CANARY_CHANNEL: Final = "stormfold-canary"
CANARY_SENT: Final = "canary_sent"
"""The label that says when it was sent, in ms."""

OWN_SOURCES: Final = frozenset({OWN_SOURCE, CANARY_SOURCE})
OWN_RULES: Final = frozenset({HEARTBEAT_RULE, CANARY_RULE})
