// What is pressed before the page is live: it is seen to be taken, and done once the page can.

import type { Page } from '@playwright/test';
import { expect, hold, isLive, logLines, open, test } from '../fixtures/test';

/** Opens a view as it is before the page is live; what is given back makes it so. */
async function openEarly(page: Page, path: string): Promise<() => Promise<void>> {
  const answer = await hold(page, '.wasm');
  await page.goto(path, { waitUntil: 'commit' });
  // Behind all that the server drew.
  await expect(page.locator('#broken')).toBeAttached();
  return async () => {
    await expect(page.locator('[data-hydrated]')).not.toBeAttached();
    answer();
    await isLive(page);
  };
}

test('the log viewer\'s switches and "First error"', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/checksum');
  const comeAlive = await openEarly(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const [wrap, error] = [page.getByRole('switch', { name: 'Wrap' }), page.getByRole('button', { name: 'First error' })];
  await wrap.click();
  await expect(wrap).toHaveAttribute('aria-busy', 'true');
  await error.click();
  await comeAlive();
  await expect(wrap).toBeChecked();
  await expect(wrap).not.toHaveAttribute('aria-busy');
  await expect(page.locator('.log-line.is-target')).toContainText(/error|fail/i);
});

test('"Follow", also when it is pressed twice', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const address = `/jobs/${job.id}?tab=logs&task=${job.id}-1`;
  const follow = page.getByRole('switch', { name: 'Follow' });
  for (const presses of [1, 2]) {
    const comeAlive = await openEarly(page, address);
    for (let press = 0; press < presses; press++) await follow.click();
    await comeAlive();
    await expect(follow).toBeChecked({ checked: presses === 2 });
  }
});

test('what is found in a log while it is still too early', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  const comeAlive = await openEarly(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await page.getByRole('textbox', { name: 'Find in log' }).fill('150000');
  await page.keyboard.press('Enter');
  await comeAlive();
  await expect(page.getByRole('status').filter({ hasText: '1 of 1' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Line 150000', exact: true })).toBeInViewport();
});

test('where a log was scrolled to', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  const comeAlive = await openEarly(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  // Far above the end, where one is led otherwise.
  const name = (await logLines(page).nth(3).getAttribute('aria-label')) ?? '';
  const line = page.getByRole('link', { name, exact: true });
  await line.scrollIntoViewIfNeeded();
  await expect(line).toBeInViewport();
  const before = await line.boundingBox();
  await comeAlive();
  await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();
  await expect.poll(async () => Math.abs(((await line.boundingBox())?.y ?? 0) - (before?.y ?? 0))).toBeLessThan(3);
});

test('the outcomes of a job, and the question before an abort', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await expect.poll(async () => (await api.job(job.id)).tasks[0].status, { timeout: 45_000 }).toBe('running');
  const comeAlive = await openEarly(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('group', { name: 'List only' }).getByRole('button', { name: '1 running' }).click();
  await page.getByRole('button', { name: 'Abort' }).click();
  await comeAlive();
  await expect(page).toHaveURL(/status=running/);
  await page.getByRole('dialog').getByRole('button', { name: 'Abort job' }).click();
  await expect.poll(async () => (await api.job(job.id)).status, { timeout: 30_000 }).toBe('aborted');
});

test('`/`, and what is looked for then', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const comeAlive = await openEarly(page, '/');
  await page.keyboard.press('/');
  await page.keyboard.type(`#${job.id}`);
  await comeAlive();
  await expect(page).toHaveURL(/search=/);
  await expect(page.getByRole('row', { name: `Job #${job.id}` })).toBeVisible();
});

test('"Rerun", once however often it is pressed', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const comeAlive = await openEarly(page, `/jobs/${job.id}?tab=scenarios`);
  let reruns = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/rerun')) reruns++;
  });
  const rerun = page.getByRole('button', { name: 'Rerun', exact: true });
  for (let press = 0; press < 3; press++) await rerun.click();
  await comeAlive();
  await expect(page.getByRole('status').filter({ hasText: /Job #\d+ submitted/ })).toBeVisible();
  expect(reruns).toBe(1);
});

test('"Validate" of a branch that was typed', async ({ page }) => {
  const comeAlive = await openEarly(page, '/jobs/new');
  await page.getByRole('combobox', { name: 'Branch' }).fill('feature/bluetooth');
  await page.getByRole('button', { name: 'Validate' }).click();
  await comeAlive();
  await expect(page.getByText('feature/bluetooth is at ')).toBeVisible();
});

test('"Next" behind a branch that was typed', async ({ page }) => {
  const comeAlive = await openEarly(page, '/jobs/new');
  await page.getByRole('combobox', { name: 'Branch' }).fill('main');
  await page.getByRole('button', { name: 'Next' }).click();
  await comeAlive();
  await expect(page.getByRole('checkbox', { name: 'smoke/boot' })).toBeVisible();
});

test('a theme, and the list of keys', async ({ page }) => {
  const comeAlive = await openEarly(page, '/');
  await page.locator('.account-menu > summary').click();
  await page.getByRole('radio', { name: 'Dark' }).check();
  await page.getByRole('button', { name: 'Keyboard' }).click();
  await comeAlive();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.getByRole('dialog')).toBeVisible();
  await open(page, '/');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.locator('.account-menu > summary').click();
  await expect(page.getByRole('radio', { name: 'Dark' })).toBeChecked();
});

test('a token that is made, once however often it is pressed', async ({ page }) => {
  const comeAlive = await openEarly(page, '/account');
  const name = `early ${Date.now()}`;
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('combobox', { name: 'Ends' }).selectOption('7');
  let made = 0;
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/api/tokens')) made++;
  });
  const create = page.getByRole('button', { name: 'Create token' });
  for (let press = 0; press < 3; press++) await create.click();
  await comeAlive();
  await expect(page.getByText(`Token "${name}" is made.`)).toBeVisible();
  expect(made).toBe(1);
  await expect(page).toHaveURL('/account');
});

test.describe('by an administrator', () => {
  test.use({ user: 'admin' });

  test('a user who is made', async ({ page }) => {
    const comeAlive = await openEarly(page, '/admin/users');
    const name = `early-${Date.now()}`;
    await page.getByRole('textbox', { name: 'Username' }).fill(name);
    await page.getByLabel('First password').fill('a few words are easy');
    const isAdmin = page.getByRole('checkbox', { name: 'Administrator' });
    await isAdmin.check();
    // Else there were two, which others here count on not to be.
    await isAdmin.uncheck();
    await page.getByRole('button', { name: 'Create user' }).click();
    await comeAlive();
    await expect(page.getByRole('row').filter({ hasText: name })).toContainText('User');
  });

  test('"Check now" of an environment', async ({ page }) => {
    const comeAlive = await openEarly(page, '/admin/environments');
    const checked = page.waitForRequest((request) => request.url().endsWith('/check'));
    await page.getByRole('button', { name: /^Check/ }).first().click();
    await comeAlive();
    await checked;
  });
});
