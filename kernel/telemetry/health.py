"""Whether a process is ready for work and alive: what its roles say of themselves."""

from __future__ import annotations

from typing import TypedDict

from kernel.clock import Clock


class Check(TypedDict):
    """One named check as `/readyz` shows it."""

    ok: bool
    reason: str


class Health:
    """Checks set by roles, and the progress of their loops.

    A process is *ready* while every check is ok, and it has at least one. It is *alive* while every loop that
    reported progress did so within `limit` seconds (by the monotonic clock); an idle loop reports too.
    """

    def __init__(self, clock: Clock, limit: float = 60.0) -> None:
        self._clock = clock
        self._limit = limit
        self._checks: dict[str, Check] = {}
        self._progress: dict[str, float] = {}

    def set(self, name: str, ok: bool, reason: str) -> None:
        """State a check, for example `("correlator.shards", False, "shard s07 is lost: ...")`."""
        self._checks[name] = Check(ok=ok, reason=reason)

    def drop(self, name: str) -> None:
        """Forget a check and a loop of this name: its role has ended as it should."""
        self._checks.pop(name, None)
        self._progress.pop(name, None)

    def progress(self, loop: str) -> None:
        """The loop of this name went round once, with or without work."""
        self._progress[loop] = self._clock.monotonic()

    def ready(self) -> tuple[bool, dict[str, Check]]:
        """Whether all checks are ok, and the checks by name. Without a check nothing is known, so not ready."""
        checks = dict(sorted(self._checks.items()))
        return bool(checks) and all(check["ok"] for check in checks.values()), checks

    def alive(self) -> tuple[bool, str]:
        """Whether all loops make progress, and a sentence that names one that does not."""
        if self._progress:
            loop, at = min(self._progress.items(), key=lambda item: item[1])
            age = self._clock.monotonic() - at
            if age > self._limit:
                return False, f"the loop {loop} made no progress for {age:.0f} s (limit {self._limit:.0f} s)"
        return True, "every loop makes progress"
