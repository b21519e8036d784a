// What every view has around it: the ways from view to view, the keys, what is chosen once, and what is said of the line.

import { expect, isLive, jobRow, open, test } from '../fixtures/test';

const isApi = (url: URL) => url.pathname.startsWith('/api/');

test('the search works from everywhere, and `/` leads to it', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/jobs/new');
  await page.getByRole('heading', { name: 'New job' }).click();
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox', { name: 'Search jobs' })).toBeFocused();
  await page.keyboard.type(`${job.id}`);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`/?search=${job.id}`);
  await expect(jobRow(page, job)).toBeVisible();
});

test('a key that is typed into a field stays there', async ({ page }) => {
  await open(page, '/jobs/new');
  const branch = page.getByRole('combobox', { name: 'Branch' });
  await branch.focus();
  await page.keyboard.type('a/b?');
  await expect(branch).toHaveValue('a/b?');
  await expect(page.getByRole('dialog')).toBeHidden();
});

test('`?` opens the list of keys, Escape closes it', async ({ page }) => {
  await open(page, '/');
  await page.keyboard.press('?');
  const keys = page.getByRole('dialog', { name: 'Keyboard' });
  await expect(keys).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(keys).toBeHidden();
});

test('keys do nothing behind a question', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toHaveCount(1);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
});

test('where there is no room for the search, `/` leads to the list that has one', async ({ page, api }) => {
  await page.setViewportSize({ width: 700, height: 700 });
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  await page.keyboard.press('/');
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
});

test('the navigation tells where one is, and leads by keyboard', async ({ page }) => {
  await open(page, '/jobs/new');
  const jobs = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Jobs' });
  await expect(jobs).not.toHaveAttribute('aria-current');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect(jobs).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/');
  await expect(jobs).toHaveAttribute('aria-current', 'page');
  await expect(page.getByRole('main')).toBeFocused();
});

test('a chosen theme holds from the first byte of the next page', async ({ page }) => {
  await open(page, '/');
  const root = page.locator('html');
  await page.getByText('demo', { exact: true }).first().click();
  await page.getByRole('radio', { name: 'Dark' }).check();
  await expect(root).toHaveAttribute('data-theme', 'dark');
  await page.reload({ waitUntil: 'commit' });
  await expect(root).toHaveAttribute('data-theme', 'dark');
  await isLive(page);
  await page.getByText('demo', { exact: true }).first().click();
  await expect(page.getByRole('radio', { name: 'Dark' })).toBeChecked();
  await page.getByRole('radio', { name: 'System' }).check();
  await expect(root).not.toHaveAttribute('data-theme');
});

test.describe('far from Greenwich', () => {
  test.use({ timezoneId: 'Asia/Kolkata' });

  test('the server draws the reader\'s own time from the second visit on', async ({ page, api }) => {
    const job = await api.run('main', 'smoke/boot');
    const drawn = async () => {
      const answer = await page.request.get(`/jobs/${job.id}`);
      return /<time[^>]*>([^<]*)/.exec(await answer.text())?.[1];
    };
    expect(await drawn()).toMatch(/UTC$/);
    await open(page, `/jobs/${job.id}`);
    const live = page.getByRole('time').first();
    await expect(live).not.toHaveText(/UTC/);
    expect(await drawn()).toBe(await live.textContent());
  });
});

test('a session that has ended is told, and what is open stays', async ({ page, api, context }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  await expect(jobRow(page, job)).toBeVisible();
  const session = await context.cookies();
  await context.clearCookies();
  const alert = page.getByRole('alert').filter({ hasText: 'Your session has ended' });
  await expect(alert).toBeVisible();
  await expect(alert.getByRole('link', { name: 'Sign in' })).toHaveAttribute('href', '/login');
  await expect(jobRow(page, job)).toBeVisible();
  // As if signed in again in another tab.
  await context.addCookies(session);
  await expect(alert).toBeHidden();
});

test('the true error is told, not that the server cannot be reached', async ({ page }) => {
  await open(page, '/');
  const problem = { type: 'about:blank', title: 'Too many requests', status: 429, code: 'rate_limited', detail: 'Wait a minute.' };
  await page.route(isApi, (route) => route.fulfill({ status: 429, contentType: 'application/problem+json', json: problem }));
  await expect(page.getByRole('alert').filter({ hasText: 'Too many requests' })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: "Can't reach the server" })).toBeHidden();
});

test('a page that has no longer the newest files says so once the server is back', async ({ page }) => {
  await open(page, '/');
  await page.route(isApi, (route) => route.abort());
  await expect(page.getByRole('alert').filter({ hasText: "Can't reach the server" })).toBeVisible();
  await page.route(
    (url) => url.pathname.endsWith('.js'),
    (route) => route.fulfill({ status: 404 }),
  );
  await page.unroute(isApi);
  // It asks with growing pauses while it is away.
  await expect(page.getByRole('status').filter({ hasText: 'A newer version is served' })).toBeVisible({ timeout: 60_000 });
});

test('a page that cannot come alive says so', async ({ page }) => {
  await page.route(
    (url) => url.pathname.endsWith('.wasm'),
    (route) => route.fulfill({ status: 404 }),
  );
  await page.goto('/');
  await expect(page.getByRole('alert').filter({ hasText: 'Reload it to go on' })).toBeVisible();
});

for (const width of [390, 360]) {
  test.describe(`for an administrator on a phone of ${width} px`, () => {
    test.use({ user: 'admin', viewport: { width, height: 740 }, hasTouch: true, isMobile: true });

    test('every place and the way out is in sight', async ({ page }) => {
      await open(page, '/admin/audit');
      for (const name of ['Jobs', 'Environments', 'Users', 'Audit']) {
        const link = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true });
        await expect(link).toBeInViewport({ ratio: 0.99 });
      }
      await expect(page.getByRole('button', { name: 'Sign out' })).toBeInViewport({ ratio: 0.99 });
    });
  });
}
