#!/bin/sh
# Migrates, loads the demo data on the first start and serves everything in one process; `make run` ends here.
set -eu
cd "$(dirname "$0")/.."

if ! mkdir -p "$DATA_DIR" 2>/dev/null || [ ! -w "$DATA_DIR" ]; then
    echo "DATA_DIR=$DATA_DIR cannot be written: give this user the right to write there, or choose another, as in: make DATA_DIR=/path/to/data run" >&2
    exit 1
fi
case "$PORT" in
    "" | *[!0-9]* | ??????*) wrong=1 ;;
    *) wrong=$((PORT < 1 || PORT > 65535)) ;;
esac
if [ "$wrong" = 1 ]; then
    echo "PORT=$PORT is not a port: give a number from 1 to 65535, as in: make PORT=8080 run" >&2
    exit 1
fi
export DEMO=1
.venv/bin/python manage.py setup
exec .venv/bin/python -m config.serve
