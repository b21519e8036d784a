#!/usr/bin/env bash
# http.sh on a database of its own on the server that TEST_DATABASE_URL names (scripts/with-postgres.sh).
set -euo pipefail
name=bench_$$
psql -q "$TEST_DATABASE_URL" -c "CREATE DATABASE $name"
DATABASE_URL="${TEST_DATABASE_URL%/*}/$name" "$(dirname "$0")/http.sh"
