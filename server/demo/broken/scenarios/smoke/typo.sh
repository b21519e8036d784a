#!/bin/sh
# Calls a program that does not exist: fails with exit code 127.

echo 'Starting the test bench'
strat-bench --slot "$TESTARENA_SLOT"
