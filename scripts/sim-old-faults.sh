#!/usr/bin/env bash
# Puts faults that the engine once had back one by one, and sees that the seed which a patch names finds its fault.
# usage: sim-old-faults.sh [NAME...]: those of server/tests/sim/old_faults; all of them without a name.
# SEARCH=300 looks for the first seed that finds each instead, for when the simulation has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/target/sim-old-faults
export CARGO_TARGET_DIR=$root/target

# A copy of the committed tree, so that nothing here is changed.
git worktree remove --force "$tree" 2>/dev/null || true
git worktree add --quiet --force --detach "$tree" HEAD
trap 'git worktree remove --force "$tree"' EXIT
cd "$tree"

names=("$@")
[ $# -gt 0 ] || for patch in server/tests/sim/old_faults/*.patch; do names+=("$(basename "$patch" .patch)"); done

missed=0
for name in "${names[@]}"; do
    patch=server/tests/sim/old_faults/$name.patch
    git checkout --quiet -- .
    seed=$(sed -n 's/^Found by seed \([0-9]*\).*/\1/p' "$patch")
    git apply "$patch"
    which=(SEED="$seed")
    [ -z "${SEARCH:-}" ] || which=(SEEDS="$SEARCH")
    if said=$(env "${which[@]}" cargo test --quiet --locked -p server --test sim -- --nocapture --exact every_promise_is_kept_whatever_fails 2>&1); then
        echo "$name: not found by ${which[*]}"
        missed=$((missed + 1))
        continue
    fi
    words=$(grep --after-context=1 "breaks a promise;" <<<"$said" | head -n 2 | tr -s '\n ' ' ' | cut -c 1-200) || true
    [ -n "$words" ] || { echo "$name: not run:" && tail -n 20 <<<"$said"; exit 1; }
    echo "$name: $words"
done
echo "${#names[@]} old faults put back, $missed not found"
[ "$missed" -eq 0 ]
