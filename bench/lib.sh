#!/usr/bin/env bash
# Sourced by the measurements: a server of the release build on a database of its own, what it costs, and wrk.
# JOBS ended jobs (100,000), SECONDS_EACH (5) and ROUNDS (3) of each call, PORT and those after it; DATABASE_URL names an
# empty database on a PostgreSQL server instead of SQLite; TESTARENA_BINARY and BENCH_BINARIES name other builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

JOBS=${JOBS:-100000}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-3}
PORT=${PORT:-4310}
BINARY=${TESTARENA_BINARY:-$PWD/target/release/testarena}
BINARIES=${BENCH_BINARIES:-$PWD/target/release}
BASE=http://127.0.0.1:$PORT
BARE=http://127.0.0.1:$((PORT + 1))
REMOTE=http://127.0.0.1:$((PORT + 2))
PASSWORD='a bench password'
BENCH_SQL=$PWD/bench/seed.sql
unset TESTARENA_BINARY

# BENCH_DIR: on a real disk, since a commit is measured that waits for one.
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/var/tmp}}/testarena-bench.XXXXXX")
pids=()
clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

database=${DATABASE_URL:-sqlite://$dir/bench.db}
unset DATABASE_URL
sql() { case $database in sqlite://*) sqlite3 -bail "${database#sqlite://}" ;; *) psql -q -v ON_ERROR_STOP=1 "$database" ;; esac; }
testarena() { (cd "$dir" && "$BINARY" "$@" --config testarena.toml); }

# configure [MORE]: the configuration, with more lines of it.
configure() {
    cat >"$dir/testarena.toml" <<CONFIG
listen = "127.0.0.1:$PORT"
public_url = "$BASE"
database_url = "$database"
data_dir = "$dir/data"
${1:-}
CONFIG
    testarena migrate >/dev/null
    printf '%s\n' "$PASSWORD" | testarena user add bench --admin >/dev/null
}

# fill: JOBS ended jobs.
fill() { { echo "CREATE TABLE bench_size (jobs BIGINT); INSERT INTO bench_size VALUES ($JOBS);"; cat "$BENCH_SQL"; } | sql; }

# start_server: sets `server`. Ready when /readyz says so.
start_server() {
    (cd "$dir" && TESTARENA_LOG=warn exec "$BINARY" serve --config testarena.toml) &
    server=$!
    pids+=("$server")
    wait_for "$BASE/readyz"
}

# wait_for URL [TRIES]: until it answers, 20 tries a second.
wait_for() {
    local try
    for try in $(seq "${2:-1200}"); do
        if curl -sf -o /dev/null "$1"; then return; fi
        sleep 0.05
    done
    echo "bench: $1 does not answer" >&2
    return 1
}

start_bare() {
    "$BINARIES/bare" "${BARE#http://}" >/dev/null &
    bare=$!
    pids+=("$bare")
    wait_for "$BARE/"
}

# memory PID: not backed by files.
memory() { awk '/RssAnon/ {printf "%.1f MB", $2 / 1000}' "/proc/$1/status"; }
# cpu PID: seconds so far.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{sub(/^.*\) /, ""); printf "%.2f", ($12 + $13) / hz}' "/proc/$1/stat"; }
now() { date +%s.%N; }
# calc EXPRESSION [FORMAT]
calc() { awk "BEGIN {printf \"${2:-%.2f}\", $1}"; }

sign_in() {
    cookie=$(curl -sf -D - -o /dev/null -H 'Content-Type: application/json' \
        -d "{\"username\":\"bench\",\"password\":\"$PASSWORD\"}" "$BASE/api/login" | sed -n 's/^set-cookie: \([^;]*\).*/\1/Ip')
    token=$(ask -H 'Content-Type: application/json' -d '{"name":"bench","scope":"admin"}' "$BASE/api/tokens" |
        sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
    basic=$(printf 'bench:%s' "$PASSWORD" | base64 -w 0)
}
ask() { curl -sf -H "Cookie: $cookie" -H 'Sec-Fetch-Site: same-origin' "$@"; }
etag() { ask -D - -o /dev/null "$1" | sed -n 's/^etag: \(.*\)\r$/\1/Ip'; }

# load PID URL [wrk's arguments]: "requests a second, CPU seconds per 1,000 requests" of the process that answers.
load() {
    local pid=$1 url=$2 before after
    shift 2
    before=$(cpu "$pid")
    wrk -t1 -c16 -d"${SECONDS_EACH}s" "$url" "$@" >"$dir/wrk"
    after=$(cpu "$pid")
    if grep -q 'Non-2xx\|Socket errors' "$dir/wrk"; then grep 'Non-2xx\|Socket errors' "$dir/wrk" >&2; fi
    awk -v cpu="$(calc "$after - $before")" \
        '/requests in/ {n = $1} /Requests\/sec/ {rate = $2} END {printf "%.0f %.4f", rate, cpu * 1000 / n}' "$dir/wrk"
}

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

# beside_bare NAME URL [wrk's arguments]: a line of the table, ROUNDS in turns with the bare handler, medians.
beside_bare() {
    local name=$1 url=$2 round ours bare_ours
    shift 2
    : >"$dir/rounds"
    for round in $(seq "$ROUNDS"); do
        bare_ours=$(load "$bare" "$BARE/")
        ours=$(load "$server" "$url" "$@")
        echo "$ours $bare_ours" >>"$dir/rounds"
    done
    awk -v name="$name" -v rate="$(cut -d' ' -f1 "$dir/rounds" | median)" -v cpu="$(cut -d' ' -f2 "$dir/rounds" | median)" \
        -v share="$(awk '{print $1 / $3}' "$dir/rounds" | median)" -v by_cpu="$(awk '{print $4 / $2}' "$dir/rounds" | median)" \
        'BEGIN {printf "%-22s %10d %8.4f %12.4f %8.4f\n", name, rate, share, cpu, by_cpu}'
}
heading() { printf '%-22s %10s %8s %12s %8s\n' call requests/s share 'CPU s/1000' 'by CPU'; }
