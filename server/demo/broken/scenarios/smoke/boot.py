#!/usr/bin/env python3
# Has the same scenario name as boot.sh, smoke/boot: both are left out, and the branch shows the problem.
print("never run")
