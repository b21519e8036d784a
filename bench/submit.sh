#!/usr/bin/env bash
# Durable submissions a second by 16 clients: while the remote server is away, and while the poller sends them on.
# Beside them how many writes a second the disk syncs one after the other. See lib.sh for its variables.
source "$(dirname "$0")/lib.sh"
source bench/remote.sh

# submissions WHAT: medians of ROUNDS.
submissions() {
    local round before
    : >"$dir/rounds"
    for round in $(seq "$ROUNDS"); do
        before=$(cpu "$server")
        wrk -t1 -c16 -d"${SECONDS_EACH}s" --latency "$BASE/api/submit_job" -s bench/submit.lua \
            -H "Authorization: Bearer $token" >"$dir/wrk"
        if grep -q 'Non-2xx\|Socket errors' "$dir/wrk"; then grep 'Non-2xx\|Socket errors' "$dir/wrk" >&2; fi
        awk -v cpu="$(calc "$(cpu "$server") - $before")" \
            '/99%/ {p99 = $2} /50%/ {p50 = $2} /requests in/ {n = $1} /Requests\/sec/ {rate = $2}
             END {printf "%.0f %.3f %s %s\n", rate, cpu * 1000 / n, p50, p99}' "$dir/wrk" >>"$dir/rounds"
    done
    sort -g "$dir/rounds" | awk -v what="$1" '{line[NR] = $0} END {split(line[int((NR + 1) / 2)], f, " ");
        printf "%-40s %8d/s, CPU s/1000 %s, median %s, p99 %s\n", what, f[1], f[2], f[3], f[4]}'
}

configure "$ENVIRONMENT"
fill
start_server
sign_in
ask "$BASE/api/scenarios?branch=main" >/dev/null
dd if=/dev/zero of="$dir/synced" bs=8k count=1000 oflag=dsync 2>&1 |
    awk '/copied/ {for (i = 1; i < NF; i++) if ($(i + 1) ~ /^s,/) printf "the disk syncs %.0f writes of 8 KiB a second\n", 1000 / $i}'
submissions 'submissions, remote server away'
start_remote
until_asked known 1 60
submissions 'submissions while the poller sends them'
echo "sent on meanwhile: $(asked known)"
echo "memory not backed by files: $(memory "$server")"
