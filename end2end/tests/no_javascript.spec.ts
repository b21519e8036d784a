// The frame without JavaScript: what the server renders can be read and the sign-in form works.

import { expect, jobRow, password, test } from '../fixtures/test';

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
