#!/usr/bin/env bash
# Requests a second of the server's calls beside a bare handler's, in turns, and what memory the server keeps.
# usage: http.sh            100,000 jobs in SQLite; JOBS=1000000 for more, SECONDS_EACH=10, ROUNDS=3,
#                           DATABASE_URL=postgres://… for an empty database on a PostgreSQL server
set -euo pipefail
cd "$(dirname "$0")/.."

JOBS=${JOBS:-100000}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-2}
BINARY=${TESTARENA_BINARY:-$PWD/target/release/testarena}
BARE=${BARE_BINARY:-$PWD/target/release/examples/bare}
PORT=${PORT:-4310}
BASE=http://127.0.0.1:$PORT
PASSWORD='a bench password'

dir=$(mktemp -d)
pids=()
clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap clean_up EXIT

database=${DATABASE_URL:-sqlite://$dir/bench.db}
sql() { case $database in sqlite://*) sqlite3 -bail "${database#sqlite://}" ;; *) psql -q -v ON_ERROR_STOP=1 "$database" ;; esac }

cat >"$dir/testarena.toml" <<CONFIG
listen = "127.0.0.1:$PORT"
public_url = "$BASE"
database_url = "$database"
data_dir = "$dir/data"
CONFIG
testarena() { (cd "$dir" && env -u TESTARENA_BINARY "$BINARY" "$@" --config testarena.toml); }
testarena migrate
printf '%s\n' "$PASSWORD" | testarena user add bench --admin >/dev/null
{ echo "CREATE TABLE bench_size (jobs BIGINT); INSERT INTO bench_size VALUES ($JOBS);"; cat bench/seed.sql; } | sql

(cd "$dir" && exec env -u TESTARENA_BINARY TESTARENA_LOG=warn "$BINARY" serve --config testarena.toml) &
server=$!
pids+=("$server")
"$BARE" "127.0.0.1:$((PORT + 1))" >/dev/null &
pids+=($!)
curl -sf --retry 100 --retry-delay 1 --retry-connrefused "$BASE/readyz" >/dev/null

memory() { awk '/RssAnon/ {printf "%.0f MB", $2 / 1000}' "/proc/$server/status"; }
echo "memory not backed by files, idle with $JOBS jobs: $(memory)"

cookie=$(curl -sf -D - -o /dev/null -H 'Content-Type: application/json' \
    -d "{\"username\":\"bench\",\"password\":\"$PASSWORD\"}" "$BASE/api/login" | sed -n 's/^set-cookie: \([^;]*\).*/\1/Ip')
ask() { curl -sf -H "Cookie: $cookie" -H 'Sec-Fetch-Site: same-origin' "$@"; }
etag() { ask -D - -o /dev/null "$1" | sed -n 's/^etag: \(.*\)\r$/\1/Ip'; }
# rate URL [HEADER]: requests a second.
rate() {
    local url=$1
    shift
    wrk -t1 -c16 -d"${SECONDS_EACH}s" -H "Cookie: $cookie" -H 'Sec-Fetch-Site: same-origin' "$@" "$url" |
        awk '/Requests\/sec/ {print $2} /Non-2xx/ {print "failed" > "/dev/stderr"}'
}

newest=$(ask "$BASE/api/jobs?limit=1" | sed -n 's/.*"jobs":\[{"id":\([0-9]*\).*/\1/p')
deep=$(printf 'before %s' $((newest - JOBS * 9 / 10)) | base64 | tr '+/' '-_' | tr -d '=')
job=$BASE/api/job/$newest
list=$BASE/api/jobs
names=(job-304 job-200 list-304 list-200 deep-200 search-id search-name two-statuses dashboard)
declare -A url=([job-304]=$job [job-200]=$job [list-304]=$list [list-200]=$list [deep-200]="$list?cursor=$deep"
    [search-id]="$list?search=$newest" [search-name]="$list?search=bench7"
    [two-statuses]="$list?status=passed&status=failed" [dashboard]=$BASE/)
job_etag=$(etag "$job")
list_etag=$(etag "$list")

printf '%-14s %12s %12s %8s\n' call requests/s bare share
for name in "${names[@]}"; do
    for _ in $(seq "$ROUNDS"); do
        bare=$(rate "http://127.0.0.1:$((PORT + 1))/")
        case $name in
        job-304) ours=$(rate "${url[$name]}" -H "If-None-Match: $job_etag") ;;
        list-304) ours=$(rate "${url[$name]}" -H "If-None-Match: $list_etag") ;;
        *) ours=$(rate "${url[$name]}") ;;
        esac
        awk -v n="$name" -v a="$ours" -v b="$bare" 'BEGIN {printf "%-14s %12.0f %12.0f %8.4f\n", n, a, b, a / b}'
    done
done
echo "memory not backed by files, after all of this: $(memory)"
