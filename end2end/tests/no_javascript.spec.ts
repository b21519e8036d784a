// The frame without JavaScript: what the server renders can be read and the sign-in form works.

import { expect, jobRow, logLines, password, test } from '../fixtures/test';

test.describe('signed in', () => {
  test('dashboard and job page hold their data in the first response', async ({ page, api }) => {
    const job = await api.run('main', 'smoke/boot', 'firmware/checksum');
    await page.goto('/');
    await expect(jobRow(page, job)).toContainText('Failed');

    await page.getByRole('link', { name: `Job #${job.id}`, exact: true }).click();
    await expect(page.getByRole('heading', { name: `Job #${job.id}` })).toBeVisible();
    await expect(page.getByRole('row', { name: 'smoke/boot' })).toContainText('Passed');
    await expect(page.getByRole('row', { name: 'firmware/checksum' })).toContainText('Failed');

    await page.getByRole('tab', { name: 'Logs' }).click();
    await expect(page).toHaveURL(/tab=logs/);
  });
});

test('what takes JavaScript is said', async ({ page }) => {
  await page.goto('/');
  const said = page.locator('noscript p');
  await expect(said).toBeInViewport({ ratio: 0.99 });
  await expect(said).toContainText('submit, abort, rerun or delete');
});

test.describe('signed out', () => {
  test.use({ user: null });

  test('the sign-in form works', async ({ page }) => {
    await page.goto('/');
    await page.getByLabel('Username').fill('demo');
    await page.getByLabel('Password').fill(password('demo'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('link', { name: 'New job' })).toBeVisible();
  });

  test('a log can be read, and the way out works', async ({ page, api }) => {
    const job = await api.run('main', 'smoke/boot');
    await page.goto(`/jobs/${job.id}?tab=logs&task=${job.id}-1`);
    await page.getByLabel('Username').fill('demo');
    await page.getByLabel('Password').fill(password('demo'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('region', { name: 'Log' })).toContainText('login prompt');

    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page).toHaveURL(/\/login/);
    await page.goto('/');
    await expect(page).toHaveURL(/\/login/);
  });
});

test('a log is shown when all of it is there: each line that comes would move the others', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  const address = `/jobs/${job.id}?tab=logs&task=${job.id}-1`;
  let part = 0.5;
  await page.route(`**${address}`, async (route) => {
    const response = await route.fetch();
    const html = await response.text();
    const [begin, end] = [html.indexOf('class="log-line'), html.indexOf('class="log-foot')];
    expect(begin).toBeGreaterThan(0);
    const cut = part < 1 ? html.lastIndexOf('<div', begin + (end - begin) * part) : html.length;
    await route.fulfill({ response, body: html.slice(0, cut) });
  });
  await page.goto(address);
  await expect(page.locator('.log-line').first()).toBeAttached();
  await expect(page.locator('.log-line').first()).toBeHidden();
  part = 1;
  await page.goto(address);
  await expect(logLines(page).last()).toBeVisible();
});
