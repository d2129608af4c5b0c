#!/bin/sh
# Makes .venv with a Python that really runs and installs stormfold with exactly the locked packages.
# PYTHON=/path/to/python chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

# Started, not looked up: version managers leave shims for interpreters that do not run.
runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

if ! { runs .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    chosen='' without_venv=''
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        runs "$candidate" || continue
        if makes_venv "$candidate"; then
            chosen=$candidate
            break
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -z "$chosen" ] && [ -n "$without_venv" ]; then
        version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$without_venv cannot make a virtual environment: on Debian or Ubuntu, apt-get install python$version-venv" >&2
        exit 1
    elif [ -z "$chosen" ]; then
        echo "stormfold needs Python 3.11 or newer, and none of ${PYTHON:-python3.13 python3.12 python3.11 python3} runs here." \
            "Install one, or name it: make install PYTHON=/path/to/python" >&2
        exit 1
    fi
    echo "Making .venv with $("$chosen" --version) ($chosen)"
    rm -rf .venv
    "$chosen" -m venv .venv
fi

echo "Installing the locked packages into .venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
