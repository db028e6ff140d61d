#!/bin/sh
# Runs every check, also after one has failed, and ends with the names of those that failed.
cd "$(dirname "$0")/.." || exit 1
PATH="$PWD/.venv/bin:$PATH"
DATA_DIR=$(mktemp -d)
export PATH DATA_DIR DEMO=1
unset DATABASE_URL REDIS_URL
trap 'rm -rf "$DATA_DIR"' EXIT
failed=""

check() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed, $name"
}

templates() {
    git ls-files -z --cached --others --exclude-standard 'templates/*.html' | xargs -0r djade --target-version 6.1 --check
}

check "ruff check" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" mypy
check "import contracts" lint-imports --no-logo
check "system checks" python manage.py check
check "migrations" python manage.py makemigrations --check --dry-run
check "templates" templates
check "spelling" codespell
check "budgets" python scripts/check_budgets.py
check "security" python scripts/check_security.py
check "translations" python scripts/check_messages.py

if [ -n "$failed" ]; then
    echo "Failed: ${failed#, }" >&2
    exit 1
fi
echo "All checks passed."
