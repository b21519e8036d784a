#!/usr/bin/env bash
# What following active jobs costs, and how soon a restarted server knows them again: ACTIVE (10,000) jobs on a remote
# server that runs nothing, without the changes feed and with it, then RESTARTED (1,000) and RESULTS (5,000) files.
source "$(dirname "$0")/lib.sh"
source bench/remote.sh

ACTIVE=${ACTIVE:-10000}
RESTARTED=${RESTARTED:-1000}
RESULTS=${RESULTS:-5000}
INTERVAL=${INTERVAL:-20}

# until_quiet: no round is under way.
until_quiet() {
    local calls
    while calls=$(asked calls) && sleep 1.5 && [ "$(asked calls)" != "$calls" ]; do :; done
}

# one_round: from its first question to its last, and the CPU time from one round's begin to the next one's.
one_round() {
    local before first last
    until_quiet
    say asked
    before=$(cpu "$server")
    until_asked queues "$1" 120
    first=$(date -d "$(asked first)" +%s.%N)
    last=$(date -d "$(asked last)" +%s.%N)
    # What follows from the answers belongs to the round.
    sleep 1
    echo "$(calc "$last - $first") $(calc "$(cpu "$server") - $before") $(asked calls)"
}

rounds() {
    local what=$1 round
    : >"$dir/rounds"
    for round in $(seq "$ROUNDS"); do one_round "$ACTIVE" >>"$dir/rounds"; done
    printf '%-46s %6s s wall, %6s s CPU, %s calls, %s\n' "$what" "$(cut -d' ' -f1 "$dir/rounds" | median)" \
        "$(cut -d' ' -f2 "$dir/rounds" | median)" "$(cut -d' ' -f3 "$dir/rounds" | median)" "$(memory "$server")"
}

# idle WHAT SECONDS: CPU time of so many seconds, as for one interval.
idle() {
    local before
    before=$(cpu "$server")
    sleep "$2"
    printf '%-46s %6s s CPU in %s s, %s\n' "$1" "$(calc "($(cpu "$server") - $before) * $INTERVAL / $2" %.3f)" "$INTERVAL" "$(memory "$server")"
}

job_state() { ask "$BASE/api/job/$1" | sed -n 's/.*"logs":{"state":"\([a-z]*\)".*/\1/p'; }
# until_kept JOB SECONDS: until its logs and results are here.
until_kept() {
    local end=$((SECONDS + $2))
    until [ "$(job_state "$1")" = complete ]; do
        [ $SECONDS -lt $end ] || { echo "bench: job $1's logs are $(job_state "$1") after $2 s" >&2 && return 1; }
        sleep 0.1
    done
}

configure "poll_interval = \"${INTERVAL}s\"
$ENVIRONMENT"
start_server
sign_in
start_remote
idle 'no active jobs' 20
cpu_before=$(cpu "$server")
submit "$RESTARTED"
until_asked known "$RESTARTED" 120

echo "restart with $RESTARTED running jobs"
kill -9 "$server"
wait "$server" 2>/dev/null || true
say asked
began=$(now)
start_server
echo "  serving after $(calc "$(now) - $began") s"
until_asked queues "$RESTARTED" 120
echo "  all of them asked about after $(calc "$(now) - $began") s"
sign_in

submit $((ACTIVE - RESTARTED))
until_asked known "$ACTIVE" 300
echo "CPU time for submitting and sending $((ACTIVE - RESTARTED)): $(calc "$(cpu "$server") - 0") s"
sleep "$INTERVAL"
rounds "$ACTIVE active, nothing changes"
say 'pace?percent=2'
rounds "$ACTIVE active, 2 % change a second"
say 'pace?percent=0'
say 'feed?offered=true'
sleep $((INTERVAL * 3))
idle "$ACTIVE active, feed, nothing changes" 60
say 'pace?percent=2'
idle "$ACTIVE active, feed, 2 % change a second" 20
say 'pace?percent=0'

echo "$RESULTS result files of one job, one of another that ends a second later"
began=$(now)
say "end?queue=1&files=$RESULTS"
sleep 1
say 'end?queue=2&files=1'
until_kept 2 120
echo "  the other's are here $(calc "$(now) - $began - 1") s after its end"
until_kept 1 300
echo "  all $RESULTS are here after $(calc "$(now) - $began") s"
began=$(now)
say end
sleep 5
until [ "$(ask "$BASE/api/jobs?status=in_progress&status=waiting&limit=1" | grep -c '"jobs":\[\]')" = 1 ]; do sleep 0.5; done
echo "all $ACTIVE ended here after $(calc "$(now) - $began") s"
idle 'while their logs are fetched' 20
