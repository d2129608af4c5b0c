"""However the demo ends, nothing that it started is left: no process, no socket, no file that names it."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.demo.running import ended, left_alive, living

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

FEW_SECONDS = 10.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["storm", "after"])
def test_nothing_is_left(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    with living(tmp_path, "--raw", "1000" if moment == "after" else "200000") as demo:
        running = demo.found()
        folder = Path(running.redis.removeprefix("unix://")).parent
        if moment == "after":
            demo.wait_for("Stop it with Ctrl-C")
        else:
            demo.wait_for("raw ")
        family = demo.family()
        assert len(family) >= 4, "the demo, its host, the watchdog and Valkey"
        assert folder.is_dir()
        demo.process.send_signal(number)
        assert left_alive(family, FEW_SECONDS) == []
        _, err = demo.process.communicate()
        assert "Traceback" not in err
        expected = -number if number is signal.SIGKILL else (0 if moment == "after" else 130)
        assert demo.process.returncode == expected, err
        until = time.monotonic() + FEW_SECONDS
        while folder.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not folder.exists()
        if number is not signal.SIGKILL:
            assert os.listdir(tmp_path / "stormfold") == []


def test_the_death_of_the_servers_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with living(tmp_path, "--raw", "1000") as demo:
        demo.wait_for("Stop it with Ctrl-C")
        family = demo.family()
        host = next(one for one in family if "stormfold.embedded.host" in one.cmdline())
        host.kill()
        assert left_alive(family, FEW_SECONDS) == []
        _, err = demo.process.communicate()
        assert demo.process.returncode == 1
        assert err.splitlines()[-1] == "the embedded servers' host process is gone (killed by signal 9)"
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--raw", "10"), "too few for this storm"),
        (("--lease", "soon"), "is not a duration"),
        (("--lease", "10ms"), "too short"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    run = ended(tmp_path, *arguments)
    assert run.status == 1
    assert run.out == ""
    assert said in run.err
    assert len(run.err.strip().splitlines()) == 1
