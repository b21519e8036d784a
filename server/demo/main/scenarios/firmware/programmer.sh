#!/bin/sh
# The bench's programmer does not answer: that is no verdict on the firmware, so it is an error (exit 99).
. scenarios/_lib/say.sh

step 'Opening the programmer'
not_ok 'no answer on the debug port; is the probe plugged in?' >&2
exit 99
