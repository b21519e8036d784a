#!/bin/sh
# Ignores a polite end and leaves a child behind, as real benches do: good for trying "Abort".
. scenarios/_lib/say.sh

trap 'warn "SIGTERM is ignored"' TERM
sleep 600 &
step 'Waiting for a device that never comes'
second=0
while [ $second -lt 600 ]; do
    second=$((second + 1))
    progress $second 600 "$second of 600 s"
    sleep 1
done
