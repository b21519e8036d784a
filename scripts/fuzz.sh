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
token=$(call POST /api/tokens '{"name":"fuzz"}' 'fuzz:fuzz fuzz fuzz' | sed 's/.*"token":"\([^"]*\)".*/\1/')
call POST /api/submit_job '{"branch_name":"main","scenarios":["smoke/boot"]}' 'fuzz:fuzz fuzz fuzz' >/dev/null || true

export SCHEMATHESIS_URL=$url SCHEMATHESIS_TOKEN=$token
.tools/api/bin/schemathesis --config-file scripts/schemathesis.toml run "$url/api/openapi.json" \
    --max-examples "${EXAMPLES:-10}" ${MAX_SECONDS:+--max-time "$MAX_SECONDS"} "$@"

# Whatever was sent, the server is there, and nothing was a defect of ours.
curl -fsS -o /dev/null "$url/readyz"
if grep -E '"?(level"?:"?)?ERROR|panicked' "$folder/log"; then
    echo 'fuzz: the server logged an error' >&2
    exit 1
fi
