#!/bin/sh
# Prints the path of a Python >= 3.12 that can make virtual environments, or says in one sentence why there is none.
# A Python is judged by running it (a name or a pyenv shim may promise what it does not keep).

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

can_make_venvs() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

path_of() {
    "$1" -c 'import sys; print(sys.executable)'
}

if [ -n "${PYTHON:-}" ]; then
    if ! is_new_enough "$PYTHON"; then
        echo "PYTHON=$PYTHON is not a working Python 3.12 or newer: give the path of one, or leave PYTHON out." >&2
        exit 1
    elif ! can_make_venvs "$PYTHON"; then
        echo "PYTHON=$PYTHON cannot make virtual environments: install its venv module (on Debian and Ubuntu: python3-venv)." >&2
        exit 1
    fi
    path_of "$PYTHON"
    exit
fi

without_venv=""
pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
for candidate in .venv/bin/python python3.14 python3.13 python3.12 python3 \
    "$pyenv"/3.14*/bin/python "$pyenv"/3.13*/bin/python "$pyenv"/3.1[25-9]*/bin/python; do
    if is_new_enough "$candidate"; then
        if can_make_venvs "$candidate"; then
            path_of "$candidate"
            exit
        fi
        without_venv=$candidate
    fi
done

if command -v uv >/dev/null 2>&1 && uv python install --quiet 3.13 >/dev/null 2>&1; then
    candidate=$(uv python find --no-project 3.13 2>/dev/null)
    if is_new_enough "$candidate"; then
        path_of "$candidate"
        exit
    fi
fi

if [ -n "$without_venv" ]; then
    echo "$without_venv cannot make virtual environments: install its venv module (on Debian and Ubuntu: python3-venv)." >&2
else
    echo "No Python 3.12 or newer was found: install one, or name it, as in: make PYTHON=/path/to/python3.13 run" >&2
fi
exit 1
