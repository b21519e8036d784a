// One job: what its page says of it at first sight, and where it leads.

import { expectNothingWider } from '../fixtures/axe';
import { expect, fetchWhole, hold, jobRow, logLines, open, tab, test } from '../fixtures/test';

test('the verdict is told in plain words, what failed comes first, and each outcome can be listed alone', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot', 'smoke/network', 'firmware/checksum', 'smoke/wifi');
  await open(page, `/jobs/${job.id}`);
  await expect(page.getByText('1 of 4 scenarios failed')).toBeVisible();
  const rows = page.getByRole('table', { name: 'Scenarios' }).getByRole('row');
  await expect(rows.nth(1)).toContainText('firmware/checksum');
  await expect(rows).toHaveCount(5);

  const only = page.getByRole('group', { name: 'List only' });
  await only.getByRole('button', { name: '2 passed' }).click();
  await expect(rows).toHaveCount(3);
  await expect(page).toHaveURL(/status=passed/);
  await page.reload();
  await expect(rows).toHaveCount(3);
  await only.getByRole('button', { name: '2 passed' }).click();
  await expect(rows).toHaveCount(5);
});

test('of many scenarios those are listed that are named so, say so or took so long', async ({ page, api }) => {
  const scenarios = ['smoke/boot', 'smoke/network', 'smoke/storage', 'smoke/wifi', 'firmware/checksum', 'firmware/report'];
  const job = await api.run('main', ...scenarios);
  // As if one of them had taken two minutes.
  await page.route(
    (url) => url.pathname === `/api/job/${job.id}`,
    async (route) => {
      const answer = await fetchWhole(route);
      const body = await answer.json();
      const until = new Date(Date.parse(body.tasks[1].started_at) + 120_000).toISOString();
      await route.fulfill({ response: answer, json: { ...body, tasks: body.tasks.with(1, { ...body.tasks[1], finished_at: until }) } });
    },
  );
  await open(page, '/');
  await jobRow(page, job).getByRole('link').first().click();
  const rows = page.getByRole('table', { name: 'Scenarios' }).getByRole('row');
  const [filter, took] = [page.getByRole('textbox', { name: 'Filter' }), page.getByRole('combobox', { name: 'Took' })];
  await expect(rows).toHaveCount(7);
  await filter.fill('Firmware');
  await expect(rows).toHaveCount(3);
  await expect(page).toHaveURL(/search=Firmware/);
  await took.selectOption('1 min or longer');
  await expect(page.getByText('No scenario of this job is like that.')).toBeVisible();
  await filter.fill('');
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(1)).toContainText('smoke/network');
  await expect(page).toHaveURL(/took=60/);
  await tab(page, 'Logs').click();
  // A look at a file is one at another tab.
  await page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'firmware/report' }).click();
  await page.getByRole('list', { name: 'Result files' }).getByRole('link').first().click();
  await expect(page).toHaveURL(/took=60&file=/);
  await tab(page, 'Scenarios').click();
  await expect(rows).toHaveCount(2);
  await expect(took).toHaveValue('60');
});

test('the tabs stay where they are when another one is chosen', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  const before = await tab(page, 'Logs').boundingBox();
  await tab(page, 'Logs').click();
  await expect(logLines(page).first()).toBeVisible();
  expect((await tab(page, 'Logs').boundingBox())?.y).toBe(before?.y);
});

test('the title and the icon of the tab say how the job is', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  await expect(page).toHaveTitle(`✓ #${job.id} main – TestArena`);
  const icon = page.locator('link[rel=icon]');
  await expect(icon).toHaveAttribute('href', /^data:image\/svg/);
  await page.getByRole('link', { name: 'Jobs' }).click();
  await expect(page).toHaveTitle('Jobs – TestArena');
  await expect(icon).toHaveAttribute('href', '/favicon.svg');
});

test('a scenario that failed says in which job it passed last, with both commits', async ({ page, api }) => {
  const passed = await api.run('main', 'smoke/boot');
  const job = await api.run('main', 'firmware/checksum');
  const isJob = (url: URL) => url.pathname === `/api/job/${job.id}`;
  // No scenario of the demo passes and later fails on one branch.
  await page.route(isJob, async (route) => {
    const answer = await fetchWhole(route);
    const body = await answer.json();
    body.tasks[0].last_passed = { job_id: passed.id, commit: '0123456789abcdef', finished_at: '2026-01-04T10:00:00Z' };
    await route.fulfill({ response: answer, json: body });
  });
  await open(page, '/');
  await jobRow(page, job).getByRole('link').first().click();
  const failed = page.getByRole('row', { name: 'firmware/checksum' });
  await expect(failed).toContainText(`Last passed in #${passed.id}`);
  await expect(failed).toContainText(/with 0123456789, now [0-9a-f]{10}/);
  await expect(failed.getByRole('link', { name: `#${passed.id}`, exact: true })).toHaveAttribute('href', `/jobs/${passed.id}`);
  await expect(failed.getByRole('link', { name: 'Compare' })).toHaveAttribute('href', `/compare?a=${passed.id}&b=${job.id}`);
  await expect(failed.getByRole('link', { name: 'firmware/checksum', exact: true })).toHaveAttribute(
    'href',
    '/scenarios/demo/firmware/checksum?branch=main',
  );
});

test('seldom actions are behind a menu that Escape closes', async ({ page, api }) => {
  await api.run('main', 'smoke/boot');
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  const more = page.locator('summary[aria-label="More actions"]');
  await more.click();
  await expect(page.getByRole('link', { name: 'Edit and rerun' })).toHaveAttribute('href', `/jobs/new?from=${job.id}`);
  await expect(page.getByRole('link', { name: 'Compare with…' })).toHaveAttribute(
    'href',
    new RegExp(`^/compare\\?a=\\d+&b=${job.id}$`),
  );
  await expect(page.getByRole('link', { name: 'JUnit report' })).toHaveAttribute('href', `/api/job/${job.id}/junit.xml`);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('link', { name: 'Edit and rerun' })).toBeHidden();
  await expect(more).toBeFocused();
});

test('an action that takes long swallows no other one', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  const answer = await hold(page, '/rerun');
  await page.getByRole('button', { name: 'Rerun', exact: true }).click();
  await expect(page.getByText('Submitting the rerun…')).toBeVisible();
  const remove = page.getByRole('button', { name: 'Delete', exact: true });
  const sure = page.getByRole('dialog').getByRole('button', { name: 'Delete job' });
  // One that comes to nothing takes the other's words away as little.
  await page.route(
    (url) => url.pathname === `/api/job/${job.id}`,
    (route) => (route.request().method() === 'DELETE' ? route.fulfill({ status: 503 }) : route.continue()),
    { times: 1 },
  );
  await remove.click();
  await sure.click();
  await expect(page.getByRole('alert').filter({ hasText: 'The server did not answer.' })).toBeVisible();
  await expect(page.getByText('Deleting…')).toBeHidden();
  await remove.click();
  await sure.click();
  await expect.poll(() => api.status(job.id), { timeout: 30_000 }).toBe(404);
  answer();
});

test('an answer that comes late takes nobody away from where they are', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  const answer = await hold(page, '/rerun');
  await page.getByRole('button', { name: 'Rerun', exact: true }).click();
  await expect(page.getByText('Submitting the rerun…')).toBeVisible();
  await page.getByRole('link', { name: 'Jobs' }).click();
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  answer();
  await expect(page.getByRole('status').filter({ hasText: /Job #\d+ submitted/ })).toBeVisible();
  await expect(page).toHaveURL('/');
});

test('a rerun shows all of the new job, whatever was shown of the old one', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot', 'firmware/checksum');
  const rows = page.getByRole('table', { name: 'Scenarios' }).getByRole('row');
  await open(page, `/jobs/${job.id}?tab=scenarios&status=failed`);
  await expect(rows).toHaveCount(2);
  await page.getByRole('button', { name: 'Rerun', exact: true }).click();
  await expect(page.getByRole('heading', { name: `Job #${job.id}`, exact: true })).toHaveCount(0);
  await expect(rows).toHaveCount(3);
});

for (const [off, hours] of [['behind', -1], ['ahead', 1]] as const) {
  test(`a reader whose clock is an hour ${off} is told the right ages`, async ({ page, api }) => {
    const job = await api.submit('main', 'load/soak');
    await api.untilRunning(job);
    await page.clock.install({ time: Date.now() + hours * 3_600_000 });
    await open(page, '/');
    const row = jobRow(page, job);
    const duration = /(?<![-\d])\d{1,2}\.\d s/;
    // Or a little later, where the job has waited for a slot; not an hour.
    await expect(row).toContainText(/just now|(?<!\d)[1-3] min ago/);
    await expect(row).toContainText(duration);
    await row.getByRole('link').first().click();
    await expect(page.getByText(/^as of \d+ s ago$/)).toBeVisible();
    // As it is after the next answers, too.
    for (let poll = 0; poll < 2; poll++) {
      await page.waitForResponse((answer) => new URL(answer.url()).pathname === `/api/job/${job.id}`);
    }
    await expect(page.getByText(/^as of \d+ s ago$/)).toBeVisible();
    await expect(page.getByRole('row', { name: 'load/soak' })).toContainText(duration);
    await api.abort(job);
  });
}

test('a proxy whose clock is an hour off makes nothing an hour old', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  // As proxies do that write a `Date` of their own.
  await page.route('**/api/**', async (route) => {
    const response = await route.fetch();
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    await route.fulfill({ response, headers: { ...response.headers(), date } });
  });
  await open(page, `/jobs/${job.id}`);
  for (let poll = 0; poll < 2; poll++) {
    await page.waitForResponse((answer) => new URL(answer.url()).pathname === `/api/job/${job.id}`);
  }
  await expect(page.getByText(/^as of \d+ s ago$/)).toBeVisible();
  await expect(page.getByRole('row', { name: 'load/soak' })).toContainText(/(?<![-\d])\d{1,2}\.\d s/);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await api.abort(job);
});

test('of very many result files the first ones are listed, and all when that is wanted', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report');
  const files = Array.from({ length: 5_000 }, (_, n) => ({ path: `part-${n}.txt`, size: n, content_type: 'text/plain' }));
  await page.route(`**/tasks/${job.id}-1/results`, (route) => route.fulfill({ json: { files } }));
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const items = page.getByRole('list', { name: 'Result files' }).getByRole('listitem');
  await expect(items).toHaveCount(200);
  await page.getByRole('button', { name: 'Show all 5000 files' }).click();
  await expect(items).toHaveCount(5_000);
  await expect(page.getByRole('button', { name: 'Show all 5000 files' })).toHaveCount(0);
});

for (const [width, height] of [[1440, 900], [1366, 657], [390, 800]]) {
  test(`at ${width}x${height} many result files leave the tasks and the log in sight`, async ({ page, api }) => {
    await page.setViewportSize({ width, height });
    const job = await api.run('main', 'firmware/report', 'smoke/boot');
    const files = Array.from({ length: 200 }, (_, n) => ({ path: `part-${n}.txt`, size: n, content_type: 'text/plain' }));
    await page.route(`**/tasks/${job.id}-1/results`, (route) => route.fulfill({ json: { files } }));
    await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
    await expect(page.getByRole('list', { name: 'Result files' }).getByRole('listitem')).toHaveCount(200);
    await expect(page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'smoke/boot' })).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole('textbox', { name: 'Find in log' })).toBeInViewport({ ratio: 1 });
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollHeight, window.innerHeight]);
    // On a phone the page scrolls, a little.
    expect(content).toBeLessThanOrEqual(width < 900 ? 2 * screen : screen);
  });
}

test('back from a scenario\'s history one is where one was in the job', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/checksum', 'firmware/report', 'smoke/boot');
  await page.setViewportSize({ width: 900, height: 320 });
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'smoke/boot', exact: true }).scrollIntoViewIfNeeded();
  const top = () => page.evaluate(() => window.scrollY);
  await expect.poll(top).toBeGreaterThan(30);
  const before = await top();
  await page.getByRole('link', { name: 'smoke/boot', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'History of smoke/boot' })).toBeVisible();
  await expect.poll(top).toBe(0);
  await page.goBack();
  await expect(page.getByRole('table', { name: 'Scenarios' })).toBeVisible();
  await expect.poll(async () => Math.abs((await top()) - before)).toBeLessThan(2);
});

test('a result file is shown in place of the log', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(logLines(page).first()).toBeVisible();
  const files = page.getByRole('list', { name: 'Result files' });
  await files.getByRole('link').first().click();
  await expect(page).toHaveURL(/file=/);
  await expect(page.getByRole('region', { name: /^Result file / })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Log', exact: true })).toBeHidden();
  await page.getByRole('link', { name: 'Back to the log' }).click();
  await expect(page.getByRole('region', { name: 'Log', exact: true })).toBeVisible();
  await tab(page, 'Scenarios').click();
  await expect(page.getByRole('table', { name: 'Scenarios' })).toBeVisible();
});

test('result files are listed once they are here, without a reload', async ({ page, api }) => {
  const job = await api.submit('main', 'firmware/report', 'load/soak');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const task = page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'firmware/report' });
  await expect(task).toContainText('Passed', { timeout: 45_000 });
  // They come when the job has ended, which is later.
  await api.abort(job);
  const files = page.getByRole('list', { name: 'Result files' });
  await expect(files.getByRole('link', { name: 'scope.png' })).toBeVisible();
});

test('result files with odd names are shown, each its own', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report');
  const names = ['100%25.txt', '%2e%2e/x.txt', '50%.txt', 'a+b c&d=e#f?.txt', 'ü "q" <b>.txt', '\u202etxt.exe.txt'];
  const results = `/api/job/${job.id}/tasks/${job.id}-1/results`;
  await page.route(
    (url) => url.pathname.startsWith(results),
    async (route) => {
      const { pathname } = new URL(route.request().url());
      const files = names.map((path) => ({ path, size: 10, content_type: 'text/plain; charset=utf-8' }));
      if (pathname === results) return route.fulfill({ json: { files } });
      const path = decodeURIComponent(pathname.slice(results.length + 1));
      return route.fulfill({ contentType: 'text/plain', body: `what is in ${path}` });
    },
  );
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const files = page.getByRole('list', { name: 'Result files' });
  await expect(files.getByRole('listitem')).toHaveCount(names.length);
  for (const name of names) {
    await files.getByRole('link', { name, exact: true }).click();
    await expect(page.getByText(`what is in ${name}`, { exact: true })).toBeVisible();
    await expect(files.getByRole('link', { name, exact: true })).toHaveAttribute('aria-current', 'true');
  }
  await page.reload();
  await expect(page.getByText(`what is in ${names.at(-1)}`, { exact: true })).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('the head of a job says how old it is, whatever its bench is called', async ({ page, api }) => {
    const job = await api.submit('main', 'load/soak');
    await api.untilRunning(job);
    await open(page, `/jobs/${job.id}?tab=scenarios`);
    await expect(page.getByText(/^as of \d+ s ago$/)).toBeInViewport({ ratio: 0.99 });
    await expectNothingWider(page);
    const environment = 'bench_that_somebody_has_called_by_a_name_without_any_end_to_it';
    await page.route(
      (url) => url.pathname === `/api/job/${job.id}`,
      async (route) => {
        const answer = await fetchWhole(route);
        const body = await answer.json();
        const sync = { ...body.sync, state: 'failing', error: 'no answer' };
        await route.fulfill({ response: answer, json: { ...body, environment, sync, branch_name: environment } });
      },
    );
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await jobRow(page, job).getByRole('link').first().click();
    await expect(page.getByText(`${environment} unreachable since`, { exact: false })).toBeInViewport({ ratio: 0.99 });
    await expectNothingWider(page);
    await api.abort(job);
  });
});
