#!/bin/sh
# The board gets an address: passes after two seconds.
. scenarios/_lib/say.sh

step 'Waiting for a lease'
progress 1 2 'waiting for a lease'
sleep 1
ok 'address 192.0.2.17'
progress 2 2 'pinging the gateway'
sleep 1
ok 'gateway answers'
