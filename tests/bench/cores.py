"""Two cores: what is measured has one for itself, everything else shares the other. And what a process used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import psutil

from tests.servers.process import ServerMissing

_CORES = sorted(os.sched_getaffinity(0))


def split() -> tuple[int, int]:
    """The measured core and the other one. Raises ServerMissing where this machine has but one."""
    if len(_CORES) < 2:
        raise ServerMissing("the measurement needs two cores: one for what is measured, one for everything else")
    return _CORES[0], _CORES[1]


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What this thread starts meanwhile is pinned to the core, with every thread that it will ever have."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def used(pids: Iterable[int]) -> float:
    """Seconds of CPU, user and system, that these processes have used, all threads together."""
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total
