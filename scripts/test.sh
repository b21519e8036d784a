#!/usr/bin/env bash
# Runs all tests: unit and integration on SQLite, the integration suite again on PostgreSQL, made-up requests
# to a running demo, Playwright in Chromium, and its main flows in Firefox.
# All of them run even if an earlier one fails; what each runner said of itself stands at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=()

# step NAME COMMAND...
step() {
    local name=$1
    shift
    printf '\n\033[1m==> %s\033[0m\n' "$name"
    "$@" 2>&1 | tee "$logs/$name" || failed+=("$name")
}

step 'cargo test (SQLite)' env -u TEST_DATABASE_URL cargo test --locked --no-fail-fast
# The same packages are chosen, so that nothing is compiled again with other features. Some tests are for this one alone.
step 'cargo test (PostgreSQL)' scripts/with-postgres.sh cargo test --locked --no-fail-fast --test suite -- --include-ignored
# The same made-up calls each time, so that a change is judged by itself; `make fuzz` looks further.
step 'schemathesis' env EXAMPLES=5 MAX_SECONDS=90 scripts/fuzz.sh --seed 1
step 'Playwright in Chromium' npm --prefix end2end --silent run test:chromium
step 'Playwright in Firefox' npm --prefix end2end --silent run test:firefox

printf '\n\033[1m==> Summary\033[0m\n'
for name in 'cargo test (SQLite)' 'cargo test (PostgreSQL)' 'schemathesis' 'Playwright in Chromium' 'Playwright in Firefox'; do
    printf '%s:\n' "$name"
    grep -E '^(test result:|test .* FAILED$|_+ [A-Z].* _+$|=+ .*(failure|passed|warning).* =+$|  +[0-9]+ (passed|failed|flaky|skipped|did not run|interrupted)|    \[[a-z ]+\] › )' "$logs/$name" || echo '  no summary'
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
