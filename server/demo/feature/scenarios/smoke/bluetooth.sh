#!/bin/sh
# New on this branch: pairs with a simulated headset and passes.
. scenarios/_lib/say.sh

step 'Pairing'
sleep 1
ok 'paired with 00:00:5E:00:53:01'
