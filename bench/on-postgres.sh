#!/usr/bin/env bash
# A measurement on a database of its own on a throw-away PostgreSQL that keeps what it accepted through a power cut.
# usage: on-postgres.sh bench/http.sh [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${TEST_DATABASE_URL:-}" ]; then
    exec env TEST_DATABASE_DURABLE=1 scripts/with-postgres.sh "$0" "$@"
fi
name=bench_$$
psql -q "$TEST_DATABASE_URL" -c "CREATE DATABASE $name"
DATABASE_URL="${TEST_DATABASE_URL%/*}/$name" "$@"
