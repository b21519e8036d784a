// How soon the dashboard is painted beside the same page without its scripts and its WASM: largest contentful paint of a
// list of JOBS (50) jobs, ROUNDS (5) times in turns, on loopback and on a slow 4G with a four times slower processor.
// Starts a demo of its own and ends it. Both pages come through one small proxy, which leaves out of the plain one what
// makes it live.

import http from 'node:http';
import { gzipSync } from 'node:zlib';
import { chromium, withDemo } from './demo.mjs';

const JOBS = Number(process.env.JOBS ?? 50);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const JOBS_LIMIT_MS = 10 * 60_000;
/** As Lighthouse has it. */
const SLOW_4G = { offline: false, latency: 562, downloadThroughput: 1.4e6 / 8, uploadThroughput: 675e3 / 8 };
const SLOWER = 4;
/** Scripts, and what has them fetched early; the style sheet stays. */
const LIVE = /<script\b.*?<\/script>|<link\b[^>]*rel="?(?:modulepreload|preload)"?[^>]*>/gs;

await withDemo(async ({ url, password, call }) => {
  await runJobs(call);
  const proxy = http.createServer((request, response) => handOn(url, request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  await measure(url, password, `http://127.0.0.1:${proxy.address().port}`);
  proxy.close();
  proxy.closeAllConnections();
});

async function runJobs(call) {
  for (let job = 0; job < JOBS; job++) {
    await call('POST', '/api/submit_job', { branch_name: 'main', scenarios: ['smoke/boot', 'smoke/wifi', 'firmware/checksum'] });
  }
  const start = Date.now();
  while ((await call('GET', '/api/jobs?status=waiting&status=in_progress&limit=1')).jobs.length > 0) {
    if (Date.now() - start > JOBS_LIMIT_MS) throw new Error('the jobs did not end in time');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Documents are packed alike here, so that the two differ in nothing but what is left out. */
function handOn(url, request, response) {
  const isPage = request.headers['sec-fetch-dest'] === 'document';
  const headers = { ...request.headers, host: new URL(url).host, ...(isPage && { 'accept-encoding': 'identity' }) };
  const isPlain = request.headers['x-plain'] !== undefined;
  http.get(url + request.url, { headers }, (answer) => {
    if (!isPage) {
      response.writeHead(answer.statusCode, answer.headers);
      return answer.pipe(response);
    }
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => {
      const whole = Buffer.concat(parts).toString();
      const page = gzipSync(isPlain ? whole.replace(LIVE, '') : whole);
      const { 'transfer-encoding': _, ...rest } = answer.headers;
      response.writeHead(answer.statusCode, { ...rest, 'content-encoding': 'gzip', 'content-length': page.length });
      response.end(page);
    });
  });
}

async function measure(url, password, address) {
  const browser = await chromium.launch({
    executablePath: process.env.PLAYWRIGHT_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const origin = { origin: url, 'sec-fetch-site': 'same-origin' };
  const client = await browser.newContext({ baseURL: url, extraHTTPHeaders: origin });
  const signedIn = await client.request.post('/api/login', { data: { username: 'demo', password } });
  if (!signedIn.ok()) throw new Error(`can't sign in: ${signedIn.status()}`);
  const storageState = await client.storageState();
  for (const line of ['loopback', 'slow 4G']) {
    const figures = { live: [], plain: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of ['plain', 'live']) figures[kind].push(await visit(browser, storageState, address, kind, line));
    }
    const [live, plain] = [figures.live, figures.plain].map((visits) => median(visits.map(({ largest }) => largest)));
    const isLive = median(figures.live.map(({ liveAfter }) => liveAfter));
    console.log(
      `${line}: largest paint ${live} ms, of the plain page ${plain} ms (${(live / plain).toFixed(2)} times); live after ${isLive} ms`,
    );
  }
  await browser.close();
}

/** With nothing in the cache. */
async function visit(browser, storageState, address, kind, line) {
  const context = await browser.newContext({ storageState, extraHTTPHeaders: kind === 'plain' ? { 'x-plain': '1' } : {} });
  const page = await context.newPage();
  if (line !== 'loopback') {
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', SLOW_4G);
    await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  }
  await page.addInitScript(() => {
    window.largest = 0;
    new PerformanceObserver((list) => {
      for (const { startTime } of list.getEntries()) window.largest = startTime;
    }).observe({ type: 'largest-contentful-paint', buffered: true });
  });
  await page.goto(address, { timeout: 60_000 });
  if (kind === 'live') await page.locator('[data-hydrated]').waitFor({ state: 'attached', timeout: 60_000 });
  const liveAfter = await page.evaluate(() => performance.now());
  // Two frames later all that this has brought is painted.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 500)))));
  const rows = await page.locator('tbody tr').count();
  if (rows !== Math.min(JOBS, 50)) throw new Error(`${rows} rows in the ${kind} page`);
  const largest = await page.evaluate(() => window.largest);
  await context.close();
  return { largest: Math.round(largest), liveAfter: Math.round(liveAfter) };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}
