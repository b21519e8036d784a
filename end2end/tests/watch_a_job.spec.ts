// A job that runs for a while: its log grows in the open page, and what the reader chose stays chosen.

import { expect, expectAt, hold, isLive, jobRow, lastLine, logLines, open, tab, test, topOf } from '../fixtures/test';

test('the log of a running task grows without a reload', { tag: '@firefox' }, async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(logLines(page).first()).toBeVisible({ timeout: 45_000 });
  const before = await lastLine(page);
  await expect.poll(() => lastLine(page), { timeout: 30_000 }).toBeGreaterThan(before + 2);
  await api.abort(job);
});

test('progress is seen to move while a task runs', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}`);
  const row = page.getByRole('row', { name: 'load/soak' });
  await expect(row).toContainText('Running', { timeout: 45_000 });
  await expect(row).toContainText(/\d+ of 60 s/);
  const before = await row.textContent();
  await expect(row).not.toHaveText(before ?? '');
  await api.abort(job);
});

test('the chosen tab stays through polling and reload, and is in the URL', { tag: '@firefox' }, async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}`);
  await tab(page, 'Logs').click();
  await expect(page).toHaveURL(/tab=logs/);

  // Two polls go by.
  for (let poll = 0; poll < 2; poll++) {
    await page.waitForResponse((answer) => new URL(answer.url()).pathname === `/api/job/${job.id}`);
  }
  await expect(tab(page, 'Logs')).toHaveAttribute('aria-selected', 'true');

  await page.reload();
  await isLive(page);
  await expect(tab(page, 'Logs')).toHaveAttribute('aria-selected', 'true');
  await page.goBack();
  await expect(tab(page, 'Scenarios')).toHaveAttribute('aria-selected', 'true');
  await api.abort(job);
});

test('the tab used last is the one that the next job opens with', async ({ page, api }) => {
  const first = await api.run('main', 'smoke/boot');
  const second = await api.run('main', 'smoke/storage');
  await open(page, `/jobs/${first.id}`);
  await tab(page, 'Logs').click();
  await expect(tab(page, 'Logs')).toHaveAttribute('aria-selected', 'true');
  await open(page, `/jobs/${second.id}`);
  await expect(tab(page, 'Logs')).toHaveAttribute('aria-selected', 'true');
});

test('the list stays in the history behind a job that opens with its logs', async ({ page, api }) => {
  const first = await api.run('main', 'smoke/boot');
  const second = await api.run('main', 'smoke/storage');
  await open(page, `/jobs/${first.id}`);
  await tab(page, 'Logs').click();
  await expect(page).toHaveURL(/tab=logs/);
  await open(page, '/?status=passed');
  await jobRow(page, second).getByRole('link').first().click();
  await expect(page).toHaveURL(`/jobs/${second.id}?tab=logs`);
  await expect(tab(page, 'Logs')).toHaveAttribute('aria-selected', 'true');
  await page.goBack();
  await expect(page).toHaveURL('/?status=passed');
  await expect(jobRow(page, second)).toBeVisible();
});

test('of two jobs that are clicked one after the other the second is shown', async ({ page, api }) => {
  const first = await api.run('main', 'smoke/boot');
  const second = await api.run('main', 'smoke/storage');
  await open(page, '/');
  const letGo = await hold(page, `/api/job/${first.id}`);
  const isAsked = page.waitForRequest((request) => request.url().endsWith(`/api/job/${first.id}`));
  await jobRow(page, first).getByRole('link').first().click();
  await isAsked;
  await jobRow(page, second).getByRole('link').first().click();
  await expect(page).toHaveURL(new RegExp(`/jobs/${second.id}`));
  letGo();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(`#${second.id}`);
});

test('a log of 200,000 lines puts only what is visible into the page', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(page.getByRole('region', { name: 'Log' })).toContainText('200000', { timeout: 30_000 });
  await expect.poll(() => lastLine(page)).toBe(200_000);
  expect(await logLines(page).count()).toBeLessThanOrEqual(300);
});

test('a job that has ended is no longer asked about', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await page.clock.install();
  await open(page, `/jobs/${job.id}`);
  let asked = 0;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === `/api/job/${job.id}`) asked++;
  });
  for (let poll = 0; poll < 3; poll++) {
    await page.clock.runFor(7_000);
    // What was asked before has been answered by then, and the next timer set.
    await page.evaluate(() => fetch('/api/environments'));
  }
  expect(asked).toBe(0);
});

test('a question that is never answered is given up, told, and asked again', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await page.clock.install();
  await open(page, '/');
  await expect(jobRow(page, job)).toBeVisible();
  const isList = (url: URL) => url.pathname === '/api/jobs';
  let asked = 0;
  const isApi = (url: URL) => url.pathname.startsWith('/api/');
  await page.route(isApi, (route) => {
    if (isList(new URL(route.request().url()))) asked++;
  });
  const alert = page.getByRole('alert').filter({ hasText: "Can't reach the server" });
  await page.clock.runFor(7_000);
  await expect.poll(() => asked).toBe(1);
  await expect(alert).toBeHidden();
  await expect(alert).toBeVisible();
  await expect(jobRow(page, job)).toBeVisible();
  await page.unroute(isApi);
  const answered = page.waitForResponse((response) => isList(new URL(response.url())));
  await page.clock.runFor(13_000);
  // Or that nothing has changed, if no other test has made a job.
  expect([200, 304]).toContain((await answered).status());
  await expect(alert).toBeHidden();
  expect(asked).toBe(1);
});

test('an alert says that the server cannot be reached, keeps what was shown, and goes away by itself', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  const row = jobRow(page, job);
  await expect(row).toBeVisible();
  await page.route('**/api/**', (route) => route.abort());
  const alert = page.getByRole('alert').filter({ hasText: "Can't reach the server" });
  await expect(alert).toBeVisible();
  await expect(alert).toContainText(/What is shown is from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  await expect(row).toBeVisible();
  await page.unroute('**/api/**');
  await expect(alert).toBeHidden();
});

test('a hidden tab asks nothing, and catches up as soon as it is shown again', async ({ page, api }) => {
  await page.clock.install();
  await open(page, '/');
  const turn = (state: 'hidden' | 'visible') =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, state);
  await turn('hidden');
  // Whatever was under way has been answered.
  await page.waitForLoadState('networkidle');
  let asked = 0;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith('/api/')) asked++;
  });
  await page.clock.runFor(60_000);
  expect(asked).toBe(0);
  const job = await api.submit('main', 'smoke/boot');
  await turn('visible');
  await expect(jobRow(page, job)).toBeVisible();
});

test('what is typed, chosen, focused and scrolled to stays while the page polls', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  // Below some others, so that there is room to scroll for what comes in or goes above.
  for (let count = 0; count < 6; count++) await api.submit('main', 'smoke/boot');
  await page.setViewportSize({ width: 1000, height: 320 });
  await open(page, '/');
  const search = page.getByRole('searchbox', { name: 'Search jobs' });
  const row = jobRow(page, job);
  await expect(row).toBeVisible();
  await row.getByRole('link').first().focus();
  await page.evaluate(() => window.scrollTo(0, 200));
  const before = await topOf(row);
  await page.evaluate(() => getSelection()?.selectAllChildren(document.querySelector('h1') as Node));
  // Of three at least two come in at once.
  for (let count = 0; count < 3; count++) await api.submit('main', 'smoke/boot');
  // A first question has no answer yet to compare with; each poll after it has.
  const polls = async (count: number) => {
    for (let poll = 0; poll < count; poll++) {
      await page.waitForResponse(
        async (answer) =>
          new URL(answer.url()).pathname === '/api/jobs' && !!(await answer.request().headerValue('if-none-match')),
      );
    }
  };
  await polls(2);
  await expect(row.getByRole('link').first()).toBeFocused();
  // Also where a job of another test has come in above.
  await expectAt(row, before);
  expect(await page.evaluate(() => getSelection()?.toString())).toBe('Jobs');
  await search.focus();
  await page.keyboard.type('demo');
  await expect(page).toHaveURL('/?search=demo');
  await expect(search).toBeFocused();
  await polls(2);
  await expect(search).toBeFocused();
  await expect(search).toHaveValue('demo');
  await api.abort(job);
});

test('a question before an abort stays open while the page polls', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await open(page, `/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Abort', exact: true }).click();
  for (let poll = 0; poll < 2; poll++) {
    await page.waitForResponse((answer) => new URL(answer.url()).pathname === `/api/job/${job.id}`);
  }
  const confirm = page.getByRole('dialog').getByRole('button', { name: 'Abort job' });
  await expect(confirm).toBeVisible();
  await confirm.click();
  await expect.poll(async () => (await api.job(job.id)).status, { timeout: 30_000 }).toBe('aborted');
});
