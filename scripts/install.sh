#!/bin/sh
# Makes .venv and installs the locked packages into it; with "dev", those of the tests and checks too.
# Does nothing when .venv already holds them: a copy of each installed lock file is kept in it.
set -eu
cd "$(dirname "$0")/.."

locks=requirements.lock
[ "${1:-}" != dev ] || locks="requirements.lock requirements-dev.lock"

works() {
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

is_of_the_given_python() {
    [ -z "${PYTHON:-}" ] || [ "$(.venv/bin/python -c "$base")" = "$("$PYTHON" -c "$base")" ]
}
base='import os, sys; print(os.path.realpath(sys._base_executable))'

is_installed() {
    for lock in $locks; do
        cmp -s "$lock" ".venv/$lock" || return 1
    done
}

if [ -n "${PYTHON:-}" ]; then
    python=$(scripts/python.sh)
fi
if works && is_of_the_given_python && is_installed; then
    exit
fi

if [ -e .venv ] && [ ! -w .venv ] || [ ! -e .venv ] && [ ! -w . ]; then
    echo "$PWD/.venv cannot be written: give this user the right to write there, or use a copy of the repository." >&2
    exit 1
fi

if ! works || ! is_of_the_given_python; then
    python=${python:-$(scripts/python.sh)}
    echo "Making .venv with $python"
    "$python" -m venv --clear .venv
fi

echo "Installing the packages of $locks"
set -- --require-hashes
for lock in $locks; do
    set -- "$@" -r "$lock"
done
if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python .venv/bin/python "$@"
else
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input "$@"
fi
for lock in $locks; do
    cp "$lock" ".venv/$lock"
done
