// What is shown stays true: no answer that is older than what is known, none asked for in vain, none lost in silence.

import type { Page } from '@playwright/test';
import { expect, fetchWhole, hold, isLive, jobRow, open, password, tab, test } from '../fixtures/test';

const problem = (status: number, code: string, title: string, detail: string) => ({
  status,
  contentType: 'application/problem+json',
  json: { type: 'about:blank', title, status, code, detail },
});
const FAILED = problem(500, 'internal', 'Internal error', 'Something went wrong.');

const isAt = (path: string) => (url: URL) => url.pathname === path;

test('the server draws the tab that was used last', async ({ page, api }) => {
  const first = await api.run('main', 'smoke/boot');
  const second = await api.run('main', 'smoke/storage');
  const chosen = async () => {
    const drawn = await (await page.request.get(`/jobs/${second.id}`)).text();
    return /<a[^>]*aria-selected="true"[^>]*>/.exec(drawn)?.[0];
  };
  expect(await chosen()).toContain('tab-scenarios');
  await open(page, `/jobs/${first.id}`);
  await tab(page, 'Logs').click();
  await expect(page).toHaveURL(/tab=logs/);
  expect(await chosen()).toContain('tab-logs');

  // Nothing of it is asked for again as it comes alive.
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await open(page, `/jobs/${second.id}`);
  await expect(page.getByRole('region', { name: 'Log' })).toBeVisible();
  await expect(page).toHaveURL(`/jobs/${second.id}?tab=logs`);
  expect(asked.filter((path) => path.endsWith('/lines'))).toEqual([]);
});

test('an answer that is older than an abort does not take it back', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  let older: (() => Promise<void>) | undefined;
  let later = 0;
  await page.route(isAt(`/api/job/${job.id}`), async (route) => {
    if (older) {
      // Unanswered, so that it mends nothing.
      later++;
      return;
    }
    const answer = await fetchWhole(route);
    older = () => route.fulfill({ response: answer });
  });
  await expect.poll(() => older !== undefined).toBe(true);
  const abort = page.getByRole('button', { name: 'Abort', exact: true });
  await abort.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Abort job' }).click();
  await expect(abort).toBeHidden();
  await older?.();
  // The next question follows that answer.
  await expect.poll(() => later).toBe(1);
  expect(await abort.count()).toBe(0);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('a running log grows although nothing else of its job does', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  // As if it ran on and told no progress: of its job there is nothing new then.
  await page.route(isAt(`/api/job/${job.id}`), async (route) => {
    if (route.request().headers()['if-none-match']) return route.fulfill({ status: 304 });
    const answer = await fetchWhole(route);
    const body = await answer.json();
    const tasks = [{ ...body.tasks[0], status: 'running', finished_at: null }];
    const json = { ...body, tasks, status: 'in_progress', finished_at: null, logs: { state: 'mirroring', error: null } };
    await route.fulfill({ response: answer, json });
  });
  let asked = 0;
  await page.route(isAt(`/api/job/${job.id}/tasks/${job.id}-1/log/lines`), async (route) => {
    asked++;
    const answer = await fetchWhole(route);
    await route.fulfill({ response: answer, json: { ...(await answer.json()), complete: false } });
  });
  await open(page, '/');
  await jobRow(page, job).getByRole('link').first().click();
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(page.getByText(/, growing$/)).toBeVisible();
  await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(3);
});

test('result files that cannot be listed are said to be there', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report');
  await page.route(isAt(`/api/job/${job.id}/tasks/${job.id}-1/results`), (route) => route.fulfill(FAILED));
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(page.getByRole('heading', { name: 'Result files' })).toBeVisible();
  await expect(page.getByRole('status').filter({ hasText: 'Something went wrong.' })).toBeVisible();
});

test('a filter that takes long is seen to be under way', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  await expect(jobRow(page, job)).toBeVisible();
  const main = page.getByRole('main');
  const answer = await hold(page, '/api/jobs');
  await page.getByRole('combobox', { name: 'Status' }).selectOption('passed');
  await expect(main).toHaveAttribute('aria-busy', 'true');
  await expect(jobRow(page, job)).toBeVisible();
  answer();
  await expect(page.getByRole('list', { name: 'Filters' })).toContainText('Status: Passed');
  await expect(main).not.toHaveAttribute('aria-busy');
});

/** A list that goes on for one page, whose one job is shown by its row. */
async function withOlder(page: Page, count: number): Promise<void> {
  let newest: object = {};
  await page.route(isAt('/api/jobs'), async (route) => {
    const { searchParams } = new URL(route.request().url());
    const older = Array.from({ length: count }, (_, at) => ({ ...newest, id: -at }));
    if (searchParams.has('cursor')) return route.fulfill({ json: { jobs: older, next_cursor: null } });
    const answer = await fetchWhole(route);
    const body = await answer.json();
    newest = body.jobs[0];
    await route.fulfill({ response: answer, json: { ...body, next_cursor: 'older' } });
  });
  await open(page, '/');
  await page.waitForResponse((answer) => isAt('/api/jobs')(new URL(answer.url())));
}

test('the focus stays at the end of the list when "Load more" has brought the last page', async ({ page, api }) => {
  await api.run('main', 'smoke/boot');
  await withOlder(page, 1);
  const more = page.getByRole('button', { name: 'Load more' });
  await more.focus();
  await page.keyboard.press('Enter');
  await expect(more).toBeHidden();
  await expect(page.getByRole('status').filter({ hasText: 'There are no more.' })).toBeVisible();
  await expect(page.locator('#more')).toBeFocused();
});

test('a list that is longer than what is renewed says so', async ({ page, api }) => {
  await api.run('main', 'smoke/boot');
  await withOlder(page, 200);
  await page.getByRole('button', { name: 'Load more' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Only the newest 200' })).toBeVisible();
});

test('an environment that comes later is offered without a reload', async ({ page }) => {
  await page.clock.install();
  await page.route(isAt('/api/environments'), async (route) => {
    const answer = await fetchWhole(route);
    const { environments } = await answer.json();
    await route.fulfill({ response: answer, json: { environments: [...environments, { ...environments[0], name: 'bench-b' }] } });
  });
  await open(page, '/');
  const environment = page.getByRole('combobox', { name: 'Environment' });
  await environment.selectOption('demo');
  await page.clock.runFor(7_000);
  await expect(environment.getByRole('option')).toHaveText(['Any', 'demo', 'bench-b']);
  await expect(environment).toHaveValue('demo');
});

test('the arrow keys on the tabs make no steps of history', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  await jobRow(page, job).getByRole('link').first().click();
  await expect(page.getByRole('heading', { name: `Job #${job.id}` })).toBeVisible();
  await tab(page, 'Scenarios').focus();
  for (const name of ['Logs', 'Scenarios', 'Logs'] as const) {
    await page.keyboard.press('ArrowRight');
    await expect(tab(page, name)).toBeFocused();
    await expect(tab(page, name)).toHaveAttribute('aria-selected', 'true');
  }
  await page.goBack();
  await expect(page).toHaveURL('/');
});

test('what was picked of a branch is picked when one comes back to it', async ({ page }) => {
  await open(page, '/jobs/new');
  const branch = page.getByRole('combobox', { name: 'Branch' });
  const boot = page.getByRole('checkbox', { name: 'smoke/boot' });
  const choose = async (name: string) => {
    await branch.fill(name);
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(boot).toBeVisible();
  };
  await choose('main');
  await boot.check();
  await page.getByRole('button', { name: 'Back' }).click();
  await choose('feature/bluetooth');
  await expect(boot).not.toBeChecked();
  await page.reload();
  await isLive(page);
  await page.getByRole('button', { name: 'Back' }).click();
  await choose('main');
  await expect(boot).toBeChecked();

  // Nothing is a choice as well.
  await boot.uncheck();
  await page.getByRole('button', { name: 'Back' }).click();
  await choose('feature/bluetooth');
  await page.getByRole('button', { name: 'Back' }).click();
  await choose('main');
  await expect(page.getByText(/^0 of \d+ scenarios selected$/)).toBeVisible();
  await expect(boot).not.toBeChecked();
});

test('a branch that is not there is said so at its field', async ({ page }) => {
  await open(page, '/jobs/new');
  const branch = page.getByRole('combobox', { name: 'Branch' });
  await branch.fill('no-such-branch');
  await page.getByRole('button', { name: 'Validate' }).click();
  await expect(page.getByRole('alert').filter({ hasText: /no-such-branch/ })).toBeVisible();
  await expect(branch).toHaveAttribute('aria-invalid', 'true');
  await expect(branch).toHaveAccessibleDescription(/no-such-branch/);
  await branch.fill('main');
  await expect(branch).toHaveAttribute('aria-invalid', 'false');
});

test('the end of a session is told once, in words for a reader', async ({ page, context, api }) => {
  const job = await api.submit('main', 'load/soak');
  for (const path of ['/', `/jobs/${job.id}?tab=scenarios`]) {
    await test.step(path, async () => {
      const cookies = await context.cookies();
      await open(page, path);
      await context.clearCookies();
      await expect(page.getByRole('alert').filter({ hasText: 'Your session has ended' })).toBeVisible();
      await expect(page.getByRole('alert').filter({ visible: true })).toHaveCount(1);
      await expect(page.getByText('HTTP Basic')).toHaveCount(0);
      await context.addCookies(cookies);
    });
  }
  await api.abort(job);
});

test('a tab says so when somebody else has signed in meanwhile', async ({ page, context, baseURL }) => {
  await open(page, '/');
  await context.clearCookies();
  await expect(page.getByRole('alert').filter({ hasText: 'Your session has ended' })).toBeVisible();
  const data = { username: 'admin', password: password('admin') };
  const signedIn = await context.request.post('/api/login', { headers: { Origin: baseURL ?? '' }, data });
  expect(signedIn.ok()).toBe(true);
  const banner = page.getByRole('alert').filter({ hasText: 'You are signed in as admin now.' });
  await expect(banner).toBeVisible();
  await banner.getByRole('link', { name: 'Reload' }).click();
  await isLive(page);
  await expect(page.getByText("Everybody's jobs, newest first.")).toBeVisible();
  await expect(banner).toBeHidden();
});

test("an open tab shows nothing of another user's who has signed in in another tab, and does nothing for them", async ({
  page,
  context,
  baseURL,
  api,
  playwright,
}) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, '/');
  await expect(jobRow(page, job)).toBeVisible();
  const credentials = { username: 'admin', password: password('admin'), send: 'always' as const };
  const admin = await playwright.request.newContext({ baseURL, httpCredentials: credentials });
  const theirs = await admin.post('/api/submit_job', { data: { branch_name: 'main', scenarios: ['smoke/boot'] } });
  const { id } = await theirs.json();
  await admin.dispose();
  // Signed in without the cookie, so that this does not end the session of the other tests.
  const kept = await context.cookies();
  await context.clearCookies();
  const data = { username: 'admin', password: password('admin') };
  const signedIn = await context.request.post('/api/login', { headers: { Origin: baseURL ?? '' }, data });
  expect(signedIn.ok()).toBe(true);
  const banner = page.getByRole('alert').filter({ hasText: 'You are signed in as admin now.' });
  await expect(banner).toBeVisible();
  await expect(page.getByRole('alert').filter({ visible: true })).toHaveCount(1);
  await expect(page.getByText('Your jobs, newest first.', { exact: false })).toBeVisible();
  await expect(jobRow(page, { id })).toHaveCount(0);

  // Another view is opened as theirs, under their name.
  await jobRow(page, job).getByRole('link').first().click();
  await expect(page.getByRole('button', { name: 'Abort', exact: true })).toBeVisible();
  await expect(page.getByRole('banner')).toContainText('admin');
  await expect(banner).toBeHidden();

  // The other way round, in a view that has nothing to ask: when one comes back to the tab.
  await open(page, '/account');
  await context.clearCookies();
  await context.addCookies(kept);
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  await expect(page.getByRole('alert').filter({ hasText: 'You are signed in as demo now.' })).toBeVisible();
  await api.abort(job);
});

test('an action in a tab of another user does nothing, and says what helps', async ({ page, context, baseURL, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  await context.clearCookies();
  const data = { username: 'admin', password: password('admin') };
  const signedIn = await context.request.post('/api/login', { headers: { Origin: baseURL ?? '' }, data });
  expect(signedIn.ok()).toBe(true);
  await page.getByRole('button', { name: 'Rerun', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'You are signed in as somebody else now. Reload the page.' })).toBeVisible();
  await expect(page).toHaveURL(`/jobs/${job.id}`);
});

test('while our own server is away no bench is blamed', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await page.clock.install();
  await open(page, `/jobs/${job.id}`);
  await expect(page.getByText(/^as of \d+ s ago$/)).toBeVisible();
  await page.route((url) => url.pathname.startsWith('/api/'), (route) => route.abort());
  await page.clock.runFor(130_000);
  await expect(page.getByRole('alert').filter({ hasText: "Can't reach the server" })).toBeVisible();
  await expect(page.getByText('as of 2 min ago')).toBeVisible();
  await expect(page.getByText('unreachable since')).toHaveCount(0);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await api.abort(job);
});

test('what could not be had without a session comes when it lasts again', async ({ page, context, api }) => {
  const job = await api.run('main', 'firmware/report', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-2`);
  const kept = await context.cookies();
  await context.clearCookies();
  await page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'firmware/report' }).click();
  await expect(page.getByRole('heading', { name: "The log can't be shown" })).toBeVisible();
  await context.addCookies(kept);
  await expect(page.getByRole('heading', { name: "The log can't be shown" })).toBeHidden();
  await expect(page.getByRole('region', { name: 'Log', exact: true })).toBeVisible();
});

test('what could not be had while the server was away comes by itself when it is back', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-2`);
  const isApi = (url: URL) => url.pathname.startsWith('/api/');
  await page.route(isApi, (route) => route.abort());
  await page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'firmware/report' }).click();
  await expect(page.getByRole('heading', { name: "The log can't be shown" })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'Trying again every few seconds' })).toBeVisible();
  await page.unroute(isApi);
  await expect(page.getByRole('heading', { name: "The log can't be shown" })).toBeHidden();
  await expect(page.getByRole('region', { name: 'Log', exact: true })).toBeVisible();
  await expect(page.getByRole('list', { name: 'Result files' }).getByRole('link').first()).toBeVisible();
  await expect(page.getByText("Can't reach the server", { exact: false }).filter({ visible: true })).toHaveCount(0);
});

test('a view whose files have not come yet waits for the server, and what is there stays meanwhile', async ({ browser, baseURL }) => {
  // That its files fail to come, the browser and their loader say on the console.
  const context = await browser.newContext({ baseURL, storageState: process.env.TESTARENA_STATE_demo });
  const page = await context.newPage();
  await open(page, '/');
  await page.evaluate(() => ((window as { isKept?: boolean }).isKept = true));
  await context.setOffline(true);
  await page.getByRole('link', { name: 'New job' }).first().click();
  await expect(page.getByRole('alert').filter({ hasText: "Can't reach the server" })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  await context.setOffline(false);
  await expect(page.getByRole('heading', { name: 'New job' })).toBeVisible();
  await expect(page).toHaveURL('/jobs/new');
  expect(await page.evaluate(() => (window as { isKept?: boolean }).isKept)).toBe(true);
  await context.close();
});
