#!/bin/sh
# Writes an image in ten steps of half a second: passes, with progress.
. scenarios/_lib/say.sh

sector=0
while [ $sector -lt 10 ]; do
    sector=$((sector + 1))
    progress $sector 10 "sector $sector of 10"
    step "Writing sector $sector"
    sleep 0.5
done
ok 'image written'
