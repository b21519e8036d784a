// What TestArena needs and how soon it tells: resident memory when idle and after 1,000 jobs, time from a task's end
// at the runner to the page showing it, size of the page's files. Starts a demo of its own and ends it.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY, ROOT, chromium, withDemo } from './demo.mjs';

const JOBS = Number(process.env.JOBS ?? 1000);
const SIGHTINGS = Number(process.env.SIGHTINGS ?? 10);
// One job after the other would measure the runner; more at once than this only makes a longer queue.
const SUBMITTERS = 4;
const JOBS_LIMIT_MS = 15 * 60_000;

await withDemo(async ({ url, password, pid, data, call }) => {
  console.log(`binary ${(statSync(BINARY).size / 1e6).toFixed(1)} MB, of ${BINARY.includes('/release/') ? 'a release' : 'a debug'} build`);
  for (const name of readdirSync(join(ROOT, 'target/site/pkg')).sort()) {
    console.log(`${name}: ${(statSync(join(ROOT, 'target/site/pkg', name)).size / 1024).toFixed(1)} KiB`);
  }
  console.log(`resident memory, idle: ${residentMb(pid)} MB`);
  await showSightings(url, password, call);
  await showManyJobs(call, pid, data);
});

function residentMb(pid) {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);
}

/** Runs short jobs with their page open and notes when it shows each one's end; server and page share a clock. */
async function showSightings(url, password, call) {
  const browser = await chromium.launch({
    executablePath: process.env.PLAYWRIGHT_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const page = await browser.newPage();
  await page.goto(`${url}/login`);
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  const delays = { stored: [], shown: [] };
  for (let i = 0; i < SIGHTINGS; i += 1) {
    const { id } = await call('POST', '/api/submit_job', { branch_name: 'main', scenarios: ['firmware/flash'] });
    await page.goto(`${url}/jobs/${id}`);
    const stored = waitForEnd(call, id);
    await page.locator('main').getByText('Passed').first().waitFor({ timeout: 60_000 });
    const shownAt = Date.now();
    const { finishedAt, storedAt } = await stored;
    delays.shown.push(shownAt - finishedAt);
    delays.stored.push(storedAt - finishedAt);
  }
  await browser.close();
  for (const [name, times] of Object.entries(delays)) console.log(`from a task's end at the runner until ${name}: ${spread(times)}`);
}

async function waitForEnd(call, id) {
  for (;;) {
    const job = await call('GET', `/api/job/${id}?wait=60`);
    if (job.finished_at) return { finishedAt: Date.parse(job.tasks[0].finished_at), storedAt: Date.now() };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1]} ms, ${sorted[0]} to ${sorted.at(-1)} ms (${sorted.length} times)`;
}

async function showManyJobs(call, pid, data) {
  const start = Date.now();
  let left = JOBS;
  let last = 0;
  const submit = async () => {
    while (left > 0) {
      left -= 1;
      // None of them waits for anything, so that the machine is measured and not their sleep.
      const body = { branch_name: 'main', scenarios: ['smoke/boot', 'smoke/wifi', 'smoke/storage'] };
      last = Math.max(last, (await call('POST', '/api/submit_job', body)).id);
    }
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submit));
  const submitted = Date.now();
  console.log(`${JOBS} jobs submitted in ${((submitted - start) / 1000).toFixed(1)} s`);
  for (;;) {
    const open = await call('GET', '/api/jobs?status=waiting&status=in_progress&limit=1');
    if (open.jobs.length === 0) break;
    if (Date.now() - start > JOBS_LIMIT_MS) throw new Error('the jobs did not end in time');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  console.log(`all ended after ${((Date.now() - start) / 1000).toFixed(1)} s`);
  console.log(`resident memory after ${JOBS} jobs: ${residentMb(pid)} MB`);
  console.log(execFileSync('du', ['-sh', data]).toString().trim());
}
