#!/bin/sh
# Leaves a JUnit file and a picture as result files: passes.
. scenarios/_lib/say.sh

step 'Measuring'
cat >"$TESTARENA_RESULTS/junit.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="firmware/report" tests="3" failures="0" skipped="1" time="0.42">
  <testcase classname="firmware.report" name="voltage" time="0.11"/>
  <testcase classname="firmware.report" name="current" time="0.31"/>
  <testcase classname="firmware.report" name="temperature" time="0"><skipped message="no sensor"/></testcase>
</testsuite>
XML
cp scenarios/_lib/scope.png "$TESTARENA_RESULTS/scope.png"
ok 'wrote junit.xml and scope.png'
