#!/bin/sh
# Takes a minute and says every second how far it is: passes, if nobody aborts it.
. scenarios/_lib/say.sh

second=0
while [ $second -lt 60 ]; do
    second=$((second + 1))
    progress $second 60 "$second of 60 s"
    step "load $((second * 37 % 100)) %, temperature $((40 + second / 4)) degrees"
    sleep 1
done
ok 'no error in 60 s'
