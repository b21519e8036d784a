// The dashboard: what narrows it is in the URL and said in words, and nothing moves under the reader.

import { request } from '@playwright/test';
import { expectNothingWider } from '../fixtures/axe';
import { Api, expect, expectAt, fetchWhole, hold, isLive, jobRow, open, password, test, topOf } from '../fixtures/test';

test('what narrows the list is in the URL, is told as chips, and each can be taken away', { tag: '@firefox' }, async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  await expect(page.getByText('Your jobs, newest first. Search to see everybody\'s.')).toBeVisible();
  await page.getByRole('combobox', { name: 'Status' }).selectOption('passed');
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('demo');
  await expect(page).toHaveURL('/?search=demo&status=passed');
  await expect(jobRow(page, job)).toBeVisible();

  await page.reload();
  const filters = page.getByRole('list', { name: 'Filters' });
  await expect(filters.getByRole('listitem')).toHaveText(['Search: demo', 'Status: Passed']);
  await filters.getByRole('link', { name: 'Remove filter Search: demo' }).click();
  await expect(page).toHaveURL('/?status=passed');
  // The address is there before the list that it asks for, and the chips are told of the list.
  await expect(filters.getByRole('listitem')).toHaveText(['Status: Passed']);
  await filters.getByRole('link', { name: 'Remove filter Status: Passed' }).click();
  await expect(page).toHaveURL('/');
  await expect(filters).toBeHidden();
});

test('a job is found by its number as it is typed, whosever it is', { tag: '@firefox' }, async ({ page, baseURL }) => {
  const httpCredentials = { username: 'admin', password: password('admin'), send: 'always' as const };
  const script = await request.newContext({ baseURL, httpCredentials });
  const job = await new Api(script).submit('main', 'smoke/boot');
  await script.dispose();
  await open(page, '/');
  await expect(page.getByText('Your jobs, newest first.')).toBeVisible();
  await expect(jobRow(page, job)).toHaveCount(0);
  await page.getByRole('searchbox', { name: 'Search jobs' }).pressSequentially(`${job.id}`);
  await expect(jobRow(page, job)).toBeVisible();
  await expect(page.getByRole('row')).toHaveCount(2);
});

test('"Load more" adds older jobs below, and they stay while the page polls', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const old = { id: 0 };
  let newest: object = {};
  await page.route(
    (url) => url.pathname === '/api/jobs',
    async (route) => {
      const { searchParams } = new URL(route.request().url());
      if (searchParams.has('cursor')) return route.fulfill({ json: { jobs: [{ ...newest, ...old }], next_cursor: null } });
      const answer = await fetchWhole(route);
      const body = await answer.json();
      newest = body.jobs[0];
      // As if there were many more.
      await route.fulfill({ response: answer, json: { ...body, next_cursor: 'older' } });
    },
  );
  await open(page, '/');
  await page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/jobs');
  const more = page.getByRole('button', { name: 'Load more' });
  await expect(more).toBeVisible();
  await more.click();
  await expect(jobRow(page, old)).toBeVisible();
  await expect(jobRow(page, job)).toBeVisible();
  await expect(more).toBeHidden();
  await page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/jobs');
  await expect(jobRow(page, old)).toBeVisible();
});

test('an empty list leads on', async ({ page }) => {
  await open(page, '/?branch=no-such-branch');
  await expect(page.getByRole('heading', { name: 'Nothing found' })).toBeVisible();
  await page.getByRole('link', { name: 'Clear all filters' }).click();
  await expect(page).toHaveURL('/');
});

test('each environment says how it is and leads to its jobs', async ({ page }) => {
  await open(page, '/');
  const line = page.getByRole('list', { name: 'Environments' });
  await expect(line.getByRole('listitem')).toContainText([/demo\s*\d+ of \d+ busy/]);
  await line.getByRole('link', { name: 'demo' }).click();
  await expect(page).toHaveURL('/?environment=demo');
});

test('an environment that is away is told with since when, and back when it is', async ({ page }) => {
  await page.clock.install();
  await open(page, '/');
  const line = page.getByRole('list', { name: 'Environments' });
  await expect(line).toContainText('busy');
  const isAsked = (url: URL) => url.pathname === '/api/environments';
  await page.route(isAsked, async (route) => {
    const answer = await fetchWhole(route);
    const { environments } = await answer.json();
    const away = { ...environments[0], health: 'unreachable', since: '2026-11-23T14:03:00.000Z' };
    // Its own mark, or the true answer is later taken for this one.
    const headers = { ...answer.headers(), etag: '"away"' };
    await route.fulfill({ response: answer, headers, json: { environments: [away] } });
  });
  await page.clock.runFor(7_000);
  await expect(line.getByRole('listitem')).toHaveText(/^demo\s*unreachable since 23 Nov 2026, /);
  await expect(line.getByRole('link', { name: 'demo' })).toHaveAttribute('data-status', 'unreachable');
  await page.unroute(isAsked);
  await page.clock.runFor(7_000);
  await expect(line).toContainText('busy');
});

test('a branch is looked for by the name that it has', async ({ page }) => {
  await open(page, '/?branch=a%2520b');
  await expect(page.getByRole('textbox', { name: 'Branch' })).toHaveValue('a%20b');
  await expect(page.getByRole('list', { name: 'Filters' })).toContainText('a%20b');
});

test('what a link looks for stays looked for, also where no such choice is offered', async ({ page }) => {
  await open(page, '/?environment=bench-gone');
  await expect(page.getByRole('combobox', { name: 'Environment' })).toHaveValue('bench-gone');
  await expect(page).toHaveURL('/?environment=bench-gone');
});

test('what is typed and chosen in several fields before the page is live is looked for together', async ({ page }) => {
  const answer = await hold(page, '.wasm');
  await page.goto('/', { waitUntil: 'commit' });
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('ada');
  await page.getByRole('combobox', { name: 'Status' }).selectOption('passed');
  await page.getByRole('textbox', { name: 'Branch' }).fill('main');
  answer();
  await expect(page).toHaveURL('/?search=ada&status=passed&branch=main');
});

test('what is typed before the page is live is searched for', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const answer = await hold(page, '.wasm');
  await page.goto('/', { waitUntil: 'commit' });
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill(`${job.id}`);
  answer();
  await expect(page).toHaveURL(`/?search=${job.id}`);
  await expect(page.getByRole('searchbox', { name: 'Search jobs' })).toHaveValue(`${job.id}`);
});

test.describe('in a low window', () => {
  test.use({ viewport: { width: 1000, height: 300 } });

  test('going back from a job leads to the same place in the list', { tag: '@firefox' }, async ({ page, api }) => {
    for (let count = 0; count < 12; count++) await api.submit('main', 'smoke/boot');
    // Meanwhile no job of another test comes in above, which the page would scroll for.
    const answer = await hold(page, '/api/jobs');
    await open(page, '/');
    const row = page.getByRole('row').nth(9);
    await row.scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => window.scrollY);
    expect(before).toBeGreaterThan(0);
    await row.getByRole('link').first().click();
    await expect(page).toHaveURL(/\/jobs\/\d+/);
    answer();
    await page.goBack();
    await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
    await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(before);
  });

  test('a new job comes in above without moving what is being read', async ({ page, api }) => {
    for (let count = 0; count < 12; count++) await api.submit('main', 'smoke/boot');
    await open(page, '/');
    const link = page.getByRole('row').nth(9).getByRole('link').first();
    const name = await link.getAttribute('aria-label');
    const read = page.getByRole('link', { name: name ?? '', exact: true });
    await read.scrollIntoViewIfNeeded();
    // As in a browser that keeps no place by itself.
    await page.evaluate(() => (document.documentElement.style.overflowAnchor = 'none'));
    const before = await topOf(read);
    const job = await api.submit('main', 'smoke/boot');
    await expect(jobRow(page, job)).toBeAttached();
    await expectAt(read, before);
  });
});

test.describe('with more jobs than one page holds', () => {
  test.use({ viewport: { width: 1200, height: 600 } });

  test('going back leads to the same place among all that were loaded, also after a reload', async ({ page, api }) => {
    const real = await api.run('main', 'smoke/boot');
    const summary = await (await page.request.get(`/api/jobs?search=${real.id}&limit=1`)).json();
    const jobs = Array.from({ length: 100 }, (_, at) => ({ ...summary.jobs[0], id: real.id + 70 - at }));
    await page.route(
      (url) => url.pathname === '/api/jobs',
      (route) => {
        const query = new URL(route.request().url()).searchParams;
        const from = Number(query.get('cursor') ?? 0);
        const to = from + Number(query.get('limit') || 50);
        return route.fulfill({ json: { jobs: jobs.slice(from, to), next_cursor: to < jobs.length ? `${to}` : null } });
      },
    );
    await open(page, '/account');
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByRole('button', { name: 'Load more' }).click();
    const row = jobRow(page, real);
    await row.scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => window.scrollY);
    expect(before).toBeGreaterThan(500);
    const isBack = async () => {
      await page.goBack();
      await expect(row).toBeAttached();
      await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(before);
      await expect(page.getByRole('row')).toHaveCount(101);
    };
    await row.getByRole('link').first().click();
    await expect(page.getByRole('heading', { name: `Job #${real.id}` })).toBeVisible();
    await isBack();
    await row.getByRole('link').first().click();
    await expect(page.getByRole('heading', { name: `Job #${real.id}` })).toBeVisible();
    await page.reload();
    await isLive(page);
    await isBack();
  });
});

test.describe('with more jobs than one answer may hold', () => {
  test.use({ viewport: { width: 1200, height: 600 } });

  test('going back leads to the same place among them', async ({ page, api }) => {
    const real = await api.run('main', 'smoke/boot');
    const summary = await (await page.request.get(`/api/jobs?search=${real.id}&limit=1`)).json();
    const jobs = Array.from({ length: 460 }, (_, at) => ({ ...summary.jobs[0], id: real.id + 420 - at }));
    await page.route(
      (url) => url.pathname === '/api/jobs',
      (route) => {
        const query = new URL(route.request().url()).searchParams;
        const limit = Number(query.get('limit') || 50);
        if (limit > 200) return route.fulfill({ status: 422 });
        const from = Number(query.get('cursor') ?? 0);
        const to = from + limit;
        return route.fulfill({ json: { jobs: jobs.slice(from, to), next_cursor: to < jobs.length ? `${to}` : null } });
      },
    );
    await open(page, '/account');
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    for (let shown = 50; shown < 450; shown += 50) {
      await expect(page.getByRole('row')).toHaveCount(shown + 1);
      await page.getByRole('button', { name: 'Load more' }).click();
    }
    await expect(page.getByRole('row')).toHaveCount(451);
    const row = jobRow(page, real);
    await row.scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => window.scrollY);
    await row.getByRole('link').first().click();
    await expect(page.getByRole('heading', { name: `Job #${real.id}` })).toBeVisible();
    await page.goBack();
    await expect(page.getByRole('row')).toHaveCount(451);
    await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(before);
    await expect(row).toBeInViewport();
    await expect(page.getByText('Only the newest 200 keep themselves up to date.', { exact: false })).toBeVisible();
  });
});

for (const width of [390, 641, 768, 896, 897]) {
  test.describe(`at ${width} px`, () => {
    test.use({ viewport: { width, height: 900 } });

    test('the list says whose a job is and where it runs', async ({ page, api }) => {
      const job = await api.run('feature/bluetooth', 'smoke/bluetooth', 'firmware/checksum');
      await open(page, '/');
      for (const words of ['demo', 'feature/bluetooth', 'Passed']) {
        await expect(jobRow(page, job).getByText(words, { exact: true }).first()).toBeVisible();
      }
      const cells = jobRow(page, job).getByRole('cell');
      await expect(cells).toHaveCount(8);
      for (const cell of await cells.all()) await expect(cell).toBeVisible();
      await expectNothingWider(page);
    });
  });
}

test('a job is found by its number as it is written everywhere', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill(`#${job.id}`);
  await expect(page.getByRole('list', { name: 'Filters' })).toContainText(`Search: #${job.id}`);
  await expect(jobRow(page, job)).toBeVisible();
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.reload();
  await expect(jobRow(page, job)).toBeVisible();
});

test('the search shows what is searched for when one goes back, also while it has the focus', async ({ page }) => {
  await open(page, '/?search=demo');
  await page.getByRole('link', { name: 'Remove filter Search: demo' }).click();
  const search = page.getByRole('searchbox', { name: 'Search jobs' });
  await expect(search).toHaveValue('');
  await search.focus();
  await page.goBack();
  await expect(page).toHaveURL('/?search=demo');
  await expect(search).toHaveValue('demo');
});

test('a filter that is removed by keyboard leaves the focus in the page', async ({ page }) => {
  await open(page, '/?status=passed&branch=main');
  await page.getByRole('link', { name: 'Remove filter Status: Passed' }).press('Enter');
  await expect(page).toHaveURL('/?branch=main');
  await expect(page.getByRole('link', { name: 'Remove filter Status: Passed' })).toHaveCount(0);
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
});
