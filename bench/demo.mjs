// A demo that a measurement starts for itself, in a folder of its own, and ends.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');
// The demo stops at variables of ours that it does not know.
const { TESTARENA_BINARY, ...DEMO_ENV } = process.env;
export const BINARY = TESTARENA_BINARY ?? join(ROOT, 'target/release/testarena');
export const { chromium } = createRequire(join(ROOT, 'end2end/package.json'))('@playwright/test');

/** Runs `measure` with a demo: its address, the password of its user `demo`, its process id, its folder, and `call`. */
export async function withDemo(measure) {
  const dir = mkdtempSync(join(tmpdir(), 'testarena-bench-'));
  const data = join(dir, 'demo');
  const server = spawn(BINARY, ['demo', '--listen', '127.0.0.1:0', '--data', data], {
    cwd: ROOT,
    env: DEMO_ENV,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // One that could not be started does not end.
  const ended = new Promise((resolve) => server.on('exit', resolve).on('error', resolve));
  try {
    const { url, password } = await readGreeting(server);
    await measure({ url, password, pid: server.pid, data, call: caller(url, password) });
  } finally {
    server.kill('SIGTERM');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

function readGreeting(server) {
  return new Promise((resolve, reject) => {
    let printed = '';
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`the demo ended early (${code})`)));
    server.stdout.on('data', (chunk) => {
      printed += chunk;
      const url = /running at (http:\S+)/.exec(printed)?.[1];
      const password = /user demo, password (\S+)/.exec(printed)?.[1];
      if (url && password) resolve({ url, password });
    });
  });
}

function caller(url, password) {
  const authorization = `Basic ${Buffer.from(`demo:${password}`).toString('base64')}`;
  return async (method, path, body) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
}
