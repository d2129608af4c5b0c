#!/bin/sh
# make fuzz: an environment of its own, because atheris is no part of what stormfold is developed with; then the hunt.
# Options go to the hunt: FUZZ="--seconds 60 --only grafana" make fuzz
set -eu
cd "$(dirname "$0")/../.."

env=build/fuzz/env
locks="requirements.lock tests/fuzz/requirements.lock"
if ! cat $locks | cmp -s - "$env/.installed"; then
    echo "Making $env for the fuzzer"
    rm -rf "$env"
    .venv/bin/python -m venv --without-pip "$env"
    .venv/bin/uv pip install --quiet --python "$env/bin/python" --require-hashes \
        -r requirements.lock -r tests/fuzz/requirements.lock
    cat $locks >"$env/.installed"
fi
# shellcheck disable=SC2086
exec "$env/bin/python" -m tests.fuzz ${FUZZ:-}
