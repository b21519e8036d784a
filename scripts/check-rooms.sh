#!/usr/bin/env bash
# The room plan of docs/architecture.md as greps: which package lives in which room, and who may name whom.
set -euo pipefail
cd "$(dirname "$0")/.."

failures=0
complain() {
    printf 'check-rooms: %s\n%s\n\n' "$1" "$2" >&2
    failures=$((failures + 1))
}

# Rust code that matches a pattern, comments aside. names PATTERN FOLDER...
names() {
    local pattern=$1
    shift
    grep -rnE --include='*.rs' "$pattern" "$@" 2>/dev/null | grep -vE '^[^:]+:[0-9]+:\s*//' || true
}

# only_in ROOMS PATTERN WHAT: code that matches stands in files whose path matches ROOMS, nowhere else.
only_in() {
    local found
    found=$(names "$2" app frontend protocol runner server | grep -vE "^($1)" || true)
    [ -z "$found" ] || complain "$3 belongs in $1" "$found"
}

# never PATTERN WHAT FOLDER...
never() {
    local pattern=$1 what=$2 found
    shift 2
    found=$(names "$pattern" "$@")
    [ -z "$found" ] || complain "$what" "$found"
}

# uses CRATE ALLOWED...: of the workspace's own crates, a crate depends on these alone.
uses() {
    local crate=$1 tree found
    shift
    tree=$(cargo tree --locked -p "$crate" -e normal,build,dev --depth 1 --prefix none --format '{p}')
    found=$(sed -nE 's/^(app|frontend|protocol|runner|server) v.*/\1/p' <<<"$tree" | sort -u |
        grep -vxE "$(IFS='|' && echo "$crate|$*")" || true)
    [ -z "$found" ] || complain "$crate must not depend on" "$found"
}

only_in 'server/src/store|runner/src/store|(server|runner)/tests/suite/test_database' '\bdiesel(_migrations)?(::|!| as )' 'diesel'
only_in 'server/src/remote/(ssh|known_hosts)|server/tests/|runner/(src/ssh|tests/)' '\brussh(::| as )' 'russh'
only_in 'server/src/api\.rs|server/src/api/openapi' '\baide::' 'aide'
only_in 'server/src/auth' '\bargon2(::| as )' 'argon2'
only_in 'app/src/poll' '\bgloo_timers::' 'gloo-timers'
only_in 'server/src/(remote/http|auth/oidc|cli)|(server|runner)/(tests|examples)/' '\breqwest(::| as )' 'reqwest'
only_in 'app/|server/src/site\.rs' '\bleptos(_\w+)?::' 'leptos'
only_in 'server/src/cli|server/tests/|runner/' '\brunner::' 'the runner'
only_in 'server/src/site\.rs|frontend/' '\bapp::' 'the page'

never '\.route\("[^"]*", (get|post|patch|delete)\(' 'routes of the API are documented: api_route' server/src/api.rs
never '\bcrate::(poller\b|\{[^}]*\bpoller\b)' 'api never names the poller' server/src/api.rs server/src/api
never '\bcrate::(api\b|\{[^}]*\bapi\b)' 'the poller never names api' server/src/poller.rs server/src/poller
never '\bcrate::(api\b|\{[^}]*\bapi\b)' 'api stands on the state, and around both' server/src/state.rs server/src/around.rs server/src/around
never '\bcrate::(lifecycle\b|\{[^}]*\blifecycle\b)' 'the store knows no rules of jobs' server/src/store.rs server/src/store
never '\.await|\basync fn' 'lifecycle decides; it does no I/O' server/src/lifecycle.rs server/src/lifecycle

uses protocol
uses app protocol
uses frontend app
uses runner protocol
uses server app protocol runner

# The page and the remote test server's authors take protocol with nothing but serde behind it.
tree=$(cargo tree --locked -p protocol -e normal --prefix none --format '{p}')
beyond_serde=$(awk '{print $1}' <<<"$tree" |
    grep -vxE 'protocol|serde|serde_core|serde_derive|proc-macro2|quote|syn|unicode-ident' | sort -u || true)
[ -z "$beyond_serde" ] || complain 'protocol needs more than serde' "$beyond_serde"

[ $failures -eq 0 ] || exit 1
echo 'The room plan holds.'
