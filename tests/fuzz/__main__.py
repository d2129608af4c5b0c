"""`make fuzz`: every target in turn, first with hypothesis, then with atheris; ten minutes in all.

Options: --seconds N, --seed N (printed, so that a run can be repeated), --only PART (of a target's name). What breaks a
target is saved in `tests/fuzz/corpus/` and printed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.fuzz.saved import keep, save, saved
from tests.fuzz.structure import MAX_BYTES, mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import targets

ROOT: Final = Path(__file__).parents[2]
BESIDE: Final = 2
BY_HYPOTHESIS: Final = 0.3
ROUND: Final = 100
STARTS: Final = 5
"""Seconds that a hunt of atheris takes before it begins: its imports are instrumented."""
START_SECONDS: Final = 60


class _Broken(Exception):
    def __init__(self, data: bytes) -> None:
        super().__init__("a target is broken")
        self.data = data


def _by_hypothesis(target: Target, seconds: float, number: int) -> bytes | None:
    """The smallest input found that breaks the target."""
    inputs = [*target.seeds, *saved(target.name)] or [b"{}"]
    end = time.monotonic() + seconds
    smallest: bytes | None = None

    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(inputs), st.randoms(use_true_random=False), st.integers(1, 3))
    def hunt(data: bytes, rng: Random, steps: int) -> None:
        nonlocal smallest
        for _ in range(steps):
            data = mutate(data, rng, inputs)
        try:
            target.run(data)
        except BaseException:
            smallest = data
            raise

    while time.monotonic() < end:
        try:
            seeded(number)(hunt)()
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            return smallest
        number += 1
    return None


def _by_atheris(target: Target, seconds: int, number: int) -> tuple[bytes | None, int, str]:
    """(What breaks the target, how many inputs were kept, the last lines that were printed)."""
    with tempfile.TemporaryDirectory(prefix="stormfold-fuzz-") as folder:
        room, artifacts = Path(folder, "inputs"), Path(folder, "broken")
        room.mkdir()
        artifacts.mkdir()
        for index, data in enumerate([*target.seeds, *saved(target.name)]):
            (room / f"seed-{index}").write_bytes(data)
        before = {path.name for path in room.iterdir()}
        options = [f"-max_total_time={seconds}", f"-seed={number}", f"-max_len={MAX_BYTES}", "-rss_limit_mb=2048"]
        command = [sys.executable, "-m", "tests.fuzz.hunt", target.name, *options]
        command += [f"-artifact_prefix={artifacts}/", "-timeout=25", "-print_final_stats=1", str(room)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, timeout=seconds + START_SECONDS, check=False, text=True
        )
        broken = next((path.read_bytes() for path in artifacts.iterdir()), None)
        new = [path.read_bytes() for path in room.iterdir() if path.name not in before]
        said = done.stderr.strip().splitlines()
        if done.returncode and broken is None:
            raise RuntimeError(f"{target.name}: the hunt itself failed:\n" + "\n".join(said[-15:]))
        tail = said[-40:] if broken is not None else [line for line in said if "number_of_executed" in line]
        return broken, keep(target.name, new), "\n".join(tail)


def _one(target: Target, seconds: float, number: int) -> str | None:
    """Hunt one target; None where it held, else what to print."""
    found = _by_hypothesis(target, seconds * BY_HYPOTHESIS, number)
    told = ""
    if found is None:
        found, kept, told = _by_atheris(target, max(1, int(seconds * (1 - BY_HYPOTHESIS)) - STARTS), number)
        print(f"  {target.name}: held, {kept} inputs kept; {told}", flush=True)
    if found is None:
        return None
    save(target.name, [*saved(target.name), found])
    return f"{target.name} is broken by {found[:500]!r}\n{told}"


def main() -> int:
    """Run; 1 where a target broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    number = chosen.seed if chosen.seed is not None else int(time.time()) & 0x7FFFFFFF
    wanted = [target for target in targets() if chosen.only in target.name]
    each = chosen.seconds * BESIDE / max(1, len(wanted))
    print(f"{len(wanted)} targets, {each:.0f} s each, {BESIDE} at once; seed {number}", flush=True)
    with ThreadPoolExecutor(BESIDE) as pool:
        broken = [found for found in pool.map(lambda target: _one(target, each, number), wanted) if found]
    print("\n\n".join(broken) or "every target held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
