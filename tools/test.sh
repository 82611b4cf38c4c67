#!/bin/sh
# test.sh BIN: lint, types, layers, then every test. The last line is pytest's.
set -eu
bin=$1
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
"$bin/lint-imports"
if ! command -v chromium >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
    echo "note: no chromium on PATH, so the browser tests are skipped (apt-get install chromium)"
fi
# Servers, kernels and the browser keep both cores busy: one process after another, by folder.
exec "$bin/python" -m pytest
