#!/bin/sh
# Needs an antenna, which the demo's bench has not: skipped (exit 77).
. scenarios/_lib/say.sh

step 'Looking for an antenna'
warn 'slot has none: skipped'
exit 77
