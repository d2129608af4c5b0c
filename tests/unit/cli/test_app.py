"""The command line as a shell sees it: what is printed where, and the exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from stormfold.cli.app import COMMANDS
from stormfold.cli.errors import UserError
from stormfold.cli.settings import read_settings


def stormfold(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "stormfold", *args], capture_output=True, text=True, check=False)


def test_help_lists_every_command() -> None:
    done = stormfold("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f" {name} " in done.stdout


def test_help_imports_no_command() -> None:
    code = (
        "import sys; sys.argv = ['stormfold', '--help']\n"
        "from stormfold.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('aiokafka', 'redis', 'litestar', 'stormfold.cli.check')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_version() -> None:
    done = stormfold("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("stormfold ")


@pytest.mark.parametrize("args", [["chekc"], ["check"], ["check", "--wrong", "x"], ["--wrong"]])
def test_wrong_usage_is_exit_code_2(args: list[str]) -> None:
    done = stormfold(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_check_says_what_is_good(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("sources: {prometheus: {}}\nrules: [{name: all}]")
    done = stormfold("check", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("warning: a.yaml:")
    assert lines[-1].startswith(
        "good: 1 files with 1 sources, 0 teams, 0 services, 0 channels, 1 rules, 0 routes; hash "
    )


def test_check_says_what_is_wrong_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("sources: {nobody: {}}\nrules:\n- name: all\n  windo: 5m\n")
    done = stormfold("check", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "a.yaml:1: the source 'nobody' has no adapter 'nobody'; set adapter: " in done.stderr
    assert "a.yaml:4: rules[0] has no field 'windo'; did you mean 'window'?" in done.stderr
    assert done.stderr.splitlines()[-1] == "2 problems: this cannot be used"


def test_check_without_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("sources: {prometheus: {token: {env: STORMFOLD_TEST_UNSET}}}")
    assert stormfold("check", str(tmp_path)).returncode == 1
    assert stormfold("check", "--no-secrets", str(tmp_path)).returncode == 0


def test_settings_name_the_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMFOLD_PORT", "hunter2")
    monkeypatch.setenv("STORMFOLD_SHARDS", "0")
    with pytest.raises(UserError) as caught:
        read_settings()
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["STORMFOLD_SHARDS", "STORMFOLD_PORT"]
    assert "hunter2" not in str(caught.value)
    assert read_settings(port=9, shards=2, host=None).port == 9
