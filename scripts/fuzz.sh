#!/usr/bin/env bash
# Lets schemathesis call a running demo (with its real runner and repository) by the OpenAPI document: made-up and wrong
# requests, and chains of calls. usage: [EXAMPLES=10 per call] [MAX_SECONDS=…] fuzz.sh [OPTIONS of schemathesis]
set -euo pipefail
cd "$(dirname "$0")/.."

program=${TESTARENA:-target/debug/testarena}
folder=$(mktemp -d)
server=

clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nobody else can know which port is free: try some.
for attempt in 1 2 3 4 5; do
    url=http://127.0.0.1:$((20000 + RANDOM % 12000))
    TESTARENA_LOG=warn TESTARENA_TRUSTED_PROXIES=127.0.0.1 "$program" demo --listen "${url#http://}" --data "$folder/demo" >"$folder/out" 2>"$folder/log" &
    server=$!
    for _ in $(seq 300); do
        if curl -fs -o /dev/null "$url/readyz" || ! kill -0 $server 2>/dev/null; then break; fi
        sleep 0.1
    done
    if kill -0 $server 2>/dev/null; then break; fi
    if [ "$attempt" -eq 5 ]; then
        cat "$folder/log" >&2
        exit 1
    fi
done

# A user and a token of its own, so that nothing it does ends what it does.
admin_password=$(sed -n 's/.*user admin, password //p' "$folder/out")
call() { # METHOD PATH BODY [USER:PASSWORD]
    curl -fsS -X "$1" -u "${4:-admin:$admin_password}" -H 'Content-Type: application/json' -d "$3" "$url$2"
}
call POST /api/users '{"username":"fuzz","password":"fuzz fuzz fuzz"}' >/dev/null
call POST /api/users '{"username":"fuzz-admin","password":"fuzz fuzz fuzz","is_admin":true}' >/dev/null
token_of() { # USER BODY
    call POST /api/tokens "$2" "$1:fuzz fuzz fuzz" | sed 's/.*"token":"\([^"]*\)".*/\1/'
}
token=$(token_of fuzz '{"name":"fuzz"}')
admin_token=$(token_of fuzz-admin '{"name":"fuzz","scope":"admin"}')
call POST /api/submit_job '{"branch_name":"main","scenarios":["smoke/boot"]}' 'fuzz:fuzz fuzz fuzz' >/dev/null || true

export SCHEMATHESIS_URL=$url
run() { # SECONDS OPTIONS...
    local seconds=$1
    shift
    .tools/api/bin/schemathesis --config-file scripts/schemathesis.toml run "$url/api/openapi.json" \
        --max-examples "${EXAMPLES:-10}" ${seconds:+--max-time "$seconds"} "$@"
}
# First what only an administrator gets past 403 with, in a fifth of the time; then everything as a user whose token only
# submits. Who may change and delete users would soon have done so to itself.
admin_calls=()
for name in list_users create_user list_audit check_environment create_token; do
    admin_calls+=(--include-operation-id "$name")
done
SCHEMATHESIS_TOKEN=$admin_token run "${MAX_SECONDS:+$((MAX_SECONDS / 5))}" --phases coverage,fuzzing "${admin_calls[@]}" "$@"
SCHEMATHESIS_TOKEN=$token run "${MAX_SECONDS:+$((MAX_SECONDS * 4 / 5))}" "$@"

# Whatever was sent, the server is there, and nothing was a defect of ours.
curl -fsS -o /dev/null "$url/readyz"
if grep -E '"?(level"?:"?)?ERROR|panicked' "$folder/log"; then
    echo 'fuzz: the server logged an error' >&2
    exit 1
fi
