// Rebuild on save: builds what a change touches (page, style, server), then starts `testarena demo` again on the same
// data. Arguments are handed to the demo.

import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';

const WASM = 'wasm32-unknown-unknown';
const BINARY = 'target/debug/testarena';
// The page is built without optimisation here: seconds instead of minutes, at a WASM that only localhost wants.
const PAGE = { sources: ['app', 'frontend', 'protocol', 'style'], profile: 'wasm-dev' };
const SERVER = ['app', 'migrations', 'protocol', 'runner', 'server'];
// Editors save in several steps.
const SETTLE_MS = 200;

const demoArguments = ['demo', ...process.argv.slice(2)];
let demo;
let touched = new Set();
let timer;
let isBuilding = false;

function run(program, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('exit', (code) => resolve(code === 0));
  });
}

async function buildPage() {
  const built = await run('cargo', ['build', '--locked', '-p', 'frontend', '--profile', PAGE.profile, '--target', WASM]);
  return built && run('node', ['scripts/build-site.mjs'], { SITE_PROFILE: PAGE.profile });
}

async function stopDemo() {
  if (!demo || demo.exitCode !== null) return;
  const left = new Promise((resolve) => demo.once('exit', resolve));
  demo.kill('SIGTERM');
  await left;
}

async function rebuild() {
  if (isBuilding) return;
  isBuilding = true;
  while (touched.size > 0) {
    const rooms = touched;
    touched = new Set();
    const pageIsBuilt = ![...rooms].some((room) => PAGE.sources.includes(room)) || (await buildPage());
    const serverIsBuilt =
      ![...rooms].some((room) => SERVER.includes(room)) || (await run('cargo', ['build', '--locked', '--bin', 'testarena']));
    if (!pageIsBuilt || !serverIsBuilt) continue;
    await stopDemo();
    demo = spawn(BINARY, demoArguments, { stdio: 'inherit' });
  }
  isBuilding = false;
}

for (const room of new Set([...PAGE.sources, ...SERVER])) {
  if (!existsSync(room)) continue;
  watch(room, { recursive: true }, (_, name) => {
    // An editor's own files.
    if (!name || /(^|\/)[.#]|~$/.test(name)) return;
    touched.add(room);
    clearTimeout(timer);
    timer = setTimeout(rebuild, SETTLE_MS);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await stopDemo();
    process.exit(0);
  });
}
touched.add('server');
await rebuild();
