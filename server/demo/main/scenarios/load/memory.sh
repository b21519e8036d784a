#!/bin/sh
# Fills memory step by step and finds a leak: fails after three seconds.
. scenarios/_lib/say.sh

for round in 1 2 3; do
    progress $round 3 "round $round of 3"
    step "Round $round: $((round * 812)) KiB in use"
    sleep 1
done
not_ok 'memory grows by 812 KiB a round'
exit 1
