"""The storm through the whole of it: what it comes to, that it adds up, and that a seed tells it all."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from stormfold.demo.causes import CAUSES, NOISE_INCIDENTS
from tests.demo.running import ended, living, story

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

KEYS = [
    *("raw", "accepted", "suppressed", "refreshed", "transitions", "dead", "incidents", "pages"),
    *("alerts_per_second", "alert_to_page_ms"),
]
ROOT = Path(__file__).parents[2]


def test_six_causes_come_to_six_pages_and_the_noise_to_what_it_deserves(tmp_path: Path) -> None:
    file = tmp_path / "incidents.json"
    totals = ended(tmp_path, "--incidents", str(file)).totals
    assert list(totals) == KEYS
    assert totals["raw"] >= 12_000
    assert totals["raw"] - 2 == totals["accepted"]  # two bodies are refused at the door
    assert totals["accepted"] == totals["suppressed"] + totals["transitions"] + totals["dead"]
    assert totals["dead"] == 5
    assert totals["pages"] == len(CAUSES) == 6
    assert totals["incidents"] == len(CAUSES) + NOISE_INCIDENTS
    assert totals["alerts_per_second"] > 0
    assert 0 < totals["alert_to_page_ms"]["p50"] <= totals["alert_to_page_ms"]["p99"]

    incidents = json.loads(file.read_bytes())
    paged = {one["rule"] + json.dumps(one["group"]): one for one in incidents if one["paged"]}
    assert len(paged) == len(CAUSES)
    for cause in CAUSES:
        one = paged[cause.rule + json.dumps(cause.group)]
        assert (one["priority"], one["team"]) == (cause.priority, cause.team), cause.title
        assert one["paged"] == ["pager"], cause.title
        assert len(one["members"]) == cause.members, cause.title
        assert one["count"] == sum(count for _, _, count in one["members"])
        assert one["status"] == "open"
    noise = [one for one in incidents if not one["paged"]]
    assert Counter((one["rule"], one["priority"], one["team"]) for one in noise) == {
        ("host", "P4", "infrastructure"): 24,
        ("host", "P3", "infrastructure"): 2,
        ("service", "P4", "platform"): 6,
        ("everything else", "P4", "sre"): 6,
    }
    assert sum(one["count"] for one in incidents) == totals["accepted"] - totals["dead"]


def test_a_seed_tells_the_incidents(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.json" for name in ("one", "two", "other")]
    for file, seed in zip(files, ("5", "5", "6"), strict=True):
        assert ended(tmp_path, "--raw", "2000", "--seed", seed, "--incidents", str(file)).status == 0
    one, two, other = map(story, files)
    assert one == two
    assert one != other


def test_it_adds_up_past_two_leases(tmp_path: Path) -> None:
    file = tmp_path / "incidents.json"
    totals = ended(tmp_path, "--raw", "1500", "--lease", "1s", "--for", "4", "--incidents", str(file)).totals
    assert totals["refreshed"] > 0
    assert totals["raw"] > 1_500
    assert totals["accepted"] == totals["suppressed"] + totals["transitions"] + totals["dead"]
    assert totals["pages"] == 6
    assert totals["incidents"] == 6 + NOISE_INCIDENTS
    counted = sum(one["count"] for one in json.loads(file.read_bytes()))
    assert counted == totals["accepted"] - totals["dead"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_alert_of_ones_own_pages(tmp_path: Path) -> None:
    with living(tmp_path, "--raw", "1000") as demo:
        shown = demo.wait_for("Stop it with Ctrl-C")
        found = re.search(r"curl -X POST .*\\\n.*", shown)
        assert found is not None
        command = f"{found[0]} --silent --show-error"
        answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20, check=False)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout) == {"status": "accepted"}
        assert "Checkout is slow" in demo.wait_for(" page (page): P2 Checkout is slow")


def test_it_runs_from_an_installed_wheel(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    where = subprocess.run(
        [sys.executable, "-c", "import stormfold, kernel; print(stormfold.__file__, kernel.__file__)"],
        env={"PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(site)) for path in where.stdout.split()), where.stdout
    assert not (site / "tests").exists()
    totals = ended(tmp_path, "--raw", "1000", PYTHONPATH=str(site)).totals
    assert (totals["pages"], totals["incidents"]) == (6, 6 + NOISE_INCIDENTS)
