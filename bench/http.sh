#!/usr/bin/env bash
# The reading calls beside a bare handler's, in turns, and what memory the server keeps. See lib.sh for its variables.
# usage: http.sh [CALL...]
source "$(dirname "$0")/lib.sh"

export BENCH_SSH_PASSWORD=x
# There is nothing at these addresses: only what is here is read.
configure '[[environments]]
name = "bench"
url = "http://127.0.0.1:9"
[environments.ssh]
host = "127.0.0.1"
port = 9
user = "bench"
password_env = "BENCH_SSH_PASSWORD"
host_key = "SHA256:jvBr9YdF6TUUwoVSX0xVgB2fLSE9ZRmhO3J2RoRWTLU"
repository = "/srv/repo"
workspace_root = "/srv/workspaces"'
fill
start_server
start_bare
sleep 2
echo "memory not backed by files, idle with $JOBS jobs: $(memory "$server")"
sign_in

newest=$(ask "$BASE/api/jobs?limit=1" | sed -n 's/.*"jobs":\[{"id":\([0-9]*\).*/\1/p')
deep=$(printf 'before %s' $((newest - JOBS * 9 / 10)) | base64 | tr '+/' '-_' | tr -d '=\n')
job=$BASE/api/job/$newest
list=$BASE/api/jobs
scenarios=$BASE/api/scenarios
with_cookie=(-H "Cookie: $cookie" -H 'Sec-Fetch-Site: same-origin')
with_token=(-H "Authorization: Bearer $token")
with_basic=(-H "Authorization: Basic $basic")

measure() {
    local job_etag list_etag
    job_etag=$(etag "$job")
    list_etag=$(etag "$list")
    case $1 in
    job-304) beside_bare "$1" "$job" -H "If-None-Match: $job_etag" "${with_cookie[@]}" ;;
    job-304-token) beside_bare "$1" "$job" -H "If-None-Match: $job_etag" "${with_token[@]}" ;;
    job-304-basic) beside_bare "$1" "$job" -H "If-None-Match: $job_etag" "${with_basic[@]}" ;;
    job-200) beside_bare "$1" "$job" "${with_cookie[@]}" ;;
    job-200-token) beside_bare "$1" "$job" "${with_token[@]}" ;;
    job-200-basic) beside_bare "$1" "$job" "${with_basic[@]}" ;;
    list-304) beside_bare "$1" "$list" -H "If-None-Match: $list_etag" "${with_cookie[@]}" ;;
    list-200) beside_bare "$1" "$list" "${with_cookie[@]}" ;;
    deep-200) beside_bare "$1" "$list?cursor=$deep" "${with_cookie[@]}" ;;
    search-id) beside_bare "$1" "$list?search=$newest" "${with_cookie[@]}" ;;
    search-name) beside_bare "$1" "$list?search=bench7" "${with_cookie[@]}" ;;
    two-statuses) beside_bare "$1" "$list?status=passed&status=failed" "${with_cookie[@]}" ;;
    history) beside_bare "$1" "$scenarios/history?scenario=smoke/scenario1" "${with_cookie[@]}" ;;
    history-of-200) beside_bare "$1" "$scenarios/history?scenario=smoke/scenario1&limit=200" "${with_cookie[@]}" ;;
    history-of-branch) beside_bare "$1" "$scenarios/history?scenario=smoke/scenario1&branch=feature/10" "${with_cookie[@]}" ;;
    stats) beside_bare "$1" "$scenarios/stats" "${with_cookie[@]}" ;;
    compare) beside_bare "$1" "$BASE/api/compare?a=$((newest - 1))&b=$newest" "${with_cookie[@]}" ;;
    dashboard) beside_bare "$1" "$BASE/" "${with_cookie[@]}" ;;
    random-jobs) beside_bare "$1" "$job" -s bench/random-jobs.lua "${with_cookie[@]}" -- "$newest" "$JOBS" ;;
    *) echo "http.sh: there is no call $1" >&2 && exit 2 ;;
    esac
}

calls=("$@")
[ $# -gt 0 ] || calls=(job-304 job-304-token job-304-basic job-200 job-200-token job-200-basic random-jobs list-304 list-200
    deep-200 search-id search-name two-statuses history history-of-200 history-of-branch stats compare dashboard)
heading
for call in "${calls[@]}"; do measure "$call"; done
echo "memory not backed by files, after all of this: $(memory "$server")"
