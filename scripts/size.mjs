// What the page costs a reader's network, with brotli: prints it beside the budget and fails past it.
// Before the first view is live: the loader, the main WASM and the CSS. Later: chunks that single views ask for.
// While all views are in one file that file may be larger.

import { readdirSync, readFileSync, statSync } from 'node:fs';

const SITE = 'target/site';
// Of 1024 bytes, as the build prints them.
const KB = 1024;
// As much as there is, and a little: what makes the page larger is to be seen. The goals are 280, 420, 520 and 80.
const BUDGET = { first: 217 * KB, only: 420 * KB, all: 520 * KB, chunk: 80 * KB };

const manifest = JSON.parse(readFileSync(`${SITE}/manifest.json`, 'utf8'));
const first = new Set([manifest.js, manifest.wasm, manifest.css]);
const sizes = readdirSync(`${SITE}/pkg`)
  .filter((name) => name.endsWith('.br'))
  .map((name) => ({ path: `pkg/${name.slice(0, -'.br'.length)}`, bytes: statSync(`${SITE}/pkg/${name}`).size }))
  .sort((a, b) => b.bytes - a.bytes);
const sum = (files) => files.reduce((total, { bytes }) => total + bytes, 0);
const later = sizes.filter(({ path }) => !first.has(path));

let isOver = false;
function tell(what, bytes, limit) {
  const over = limit !== undefined && bytes > limit;
  isOver ||= over;
  const budget = limit === undefined ? '' : ` of ${(limit / KB).toFixed(0)}`;
  console.log(`${(bytes / KB).toFixed(1).padStart(7)}${budget} KiB  ${what}${over ? '  OVER THE BUDGET' : ''}`);
}

for (const { path, bytes } of sizes) tell(path, bytes, first.has(path) ? undefined : BUDGET.chunk);
tell('before the first view is live', sum(sizes.filter(({ path }) => first.has(path))), later.length === 0 ? BUDGET.only : BUDGET.first);
tell('all chunks', sum(sizes), BUDGET.all);
if (later.length === 0) console.log('(one file: no view is a chunk of its own)');
process.exit(isOver ? 1 : 0);
