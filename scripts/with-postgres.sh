#!/usr/bin/env bash
# Runs a command with TEST_DATABASE_URL naming a throw-away PostgreSQL, which is stopped and deleted afterwards.
# usage: with-postgres.sh COMMAND...; TEST_DATABASE_DURABLE=1 for one that syncs as it would for real
set -euo pipefail

bin=$(dirname "$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")
[ -x "$bin/initdb" ] || {
    echo "with-postgres: no PostgreSQL server found; Debian's package is called postgresql" >&2
    exit 1
}

# Below /tmp, because another user can't enter a clone in root's home.
dir=$(mktemp -d /tmp/testarena-postgres.XXXXXX)
as_owner() { (cd / && "$@"); }
# PostgreSQL refuses to run as root.
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$dir"
    as_owner() { (cd / && runuser -u postgres -- "$@"); }
fi

clean_up() {
    as_owner "$bin/pg_ctl" stop --pgdata "$dir/data" --mode immediate --silent || true
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

as_owner "$bin/initdb" --pgdata "$dir/data" --username testarena --auth trust --encoding UTF8 --no-locale --no-sync >/dev/null

# Durability is of no use to a test; each test has connections of its own. Nobody else can know which port is free: try some.
not_durable='-c fsync=off -c synchronous_commit=off -c full_page_writes=off'
[ -z "${TEST_DATABASE_DURABLE:-}" ] || not_durable=
start() {
    as_owner "$bin/pg_ctl" start --wait --silent --pgdata "$dir/data" --log "$dir/log" --options \
        "-c listen_addresses=127.0.0.1 -p $1 -k $dir $not_durable -c max_connections=400" \
        >/dev/null 2>&1
}
for attempt in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if start $port; then break; fi
    if [ $attempt -eq 5 ]; then
        cat "$dir/log" >&2
        exit 1
    fi
done

TEST_DATABASE_URL="postgres://testarena@127.0.0.1:$port/postgres" "$@"
