#!/bin/sh
# make test: unit tests first, then everything else; ends with a line that counts what was skipped.
set -u
cd "$(dirname "$0")/.."

sh deploy/test-servers.sh
.venv/bin/python -m tests.servers.sns
mkdir -p build
STORMFOLD_SKIPPED=$PWD/build/skipped.tsv
export STORMFOLD_SKIPPED
: >"$STORMFOLD_SKIPPED"

failed=0
.venv/bin/python -m pytest tests/unit -q || failed=1
if [ "$failed" = 0 ]; then
    .venv/bin/python -m pytest tests --ignore=tests/unit || failed=1
fi
awk -F'\t' '
    { total += $1; count[$2] += $1 }
    END {
        for (reason in count) printf "  %d: %s\n", count[reason], reason
        if (total) printf "%d test(s) skipped, for the reasons above.\n", total
        else print "No test was skipped."
    }' "$STORMFOLD_SKIPPED"
exit "$failed"
