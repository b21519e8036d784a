#!/bin/sh
# The board comes up: passes at once.
. scenarios/_lib/say.sh

step "Powering slot $TESTARENA_SLOT for $TESTARENA_TASK_ID"
ok 'bootloader answers'
ok 'kernel is up'
ok 'login prompt after 1.2 s'
