#!/bin/sh
# The flash holds what is written to it: passes.
. scenarios/_lib/say.sh

file=$(mktemp)
trap 'rm -f "$file"' EXIT
step 'Writing 1 MiB'
head -c 1048576 /dev/zero >"$file"
[ "$(wc -c <"$file")" -eq 1048576 ] || { not_ok 'short write'; exit 1; }
ok 'read back 1048576 bytes'
