#!/bin/sh
# Compares two checksums that differ: fails (exit 1).
. scenarios/_lib/say.sh

step 'Checking the image'
want=2f7c9a01
got=2f7c9a10
ok 'header'
ok 'partition table'
if [ $got != $want ]; then
    not_ok "checksum: wanted $want, got $got"
    exit 1
fi
