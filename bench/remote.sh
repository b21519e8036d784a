#!/usr/bin/env bash
# Sourced after lib.sh: an environment `bench` whose SSH is a runner's and whose HTTP is the remote server of bench/src.

repository=$dir/repository
git init -q -b main "$repository"
mkdir -p "$repository/scenarios/smoke"
for n in 1 2 3 4 5; do
    printf '#!/bin/sh\n' >"$repository/scenarios/smoke/scenario$n.sh"
    chmod +x "$repository/scenarios/smoke/scenario$n.sh"
done
git -C "$repository" add .
git -C "$repository" -c user.name=bench -c user.email=bench@localhost commit -qm 'Add scenarios'
git clone -q "$repository" "$dir/clone"
ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
cat >"$dir/runner.toml" <<CONFIG
listen = "127.0.0.1:$((PORT + 3))"
name = "bench"
data_dir = "runner"
repository = "$dir/clone"
workspace_root = "$dir/workspaces"
[ssh]
listen = "127.0.0.1:$((PORT + 4))"
host_key = "host_key"
authorized_keys = "key.pub"
CONFIG
(cd "$dir" && exec "$BINARY" runner --config runner.toml) >"$dir/runner.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$((PORT + 3))/api/health"
ssh-keygen -y -f "$dir/host_key" >"$dir/host_key.pub"

ENVIRONMENT="[[environments]]
name = \"bench\"
url = \"$REMOTE\"
[environments.ssh]
host = \"127.0.0.1\"
port = $((PORT + 4))
user = \"bench\"
identity_file = \"key\"
host_key = \"$(ssh-keygen -lf "$dir/host_key.pub" | cut -d' ' -f2)\"
repository = \"$dir/clone\"
workspace_root = \"$dir/workspaces\""

start_remote() {
    "$BINARIES/remote" "${REMOTE#http://}" >/dev/null &
    remote=$!
    pids+=("$remote")
    wait_for "$REMOTE/api/health"
}

say() { curl -sf -X POST "$REMOTE/bench/$1" >/dev/null; }
# asked FIELD: of what the remote server was asked since it last forgot it.
asked() { curl -sf "$REMOTE/bench/asked" | sed -n "s/.*\"$1\":\"\?\([^,\"}]*\).*/\1/p"; }

# until_asked FIELD NUMBER SECONDS
until_asked() {
    local end=$((SECONDS + $3))
    until [ "$(asked "$1")" -ge "$2" ]; do
        if [ $SECONDS -ge $end ]; then
            echo "bench: $1 at the remote server is $(asked "$1") after $3 s, not $2" >&2
            return 1
        fi
        sleep 0.2
    done
}

# submit NUMBER: so many jobs of two scenarios, by eight clients.
submit() { node bench/submit.mjs "$BASE" "$token" "$1"; }
