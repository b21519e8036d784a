// The main path: pick a branch, validate it, pick scenarios, submit, and watch the job to its end.

import { chooseBranch, expect, isLive, jobRow, open, test } from '../fixtures/test';

test('a job submitted through the wizard is seen to pass, task by task, without a reload', { tag: '@firefox' }, async ({ page }) => {
  await open(page, '/');
  await page.getByRole('link', { name: 'New job' }).click();
  await expect(page).toHaveURL(/\/jobs\/new/);
  // Lost by a reload, so it proves that there was none.
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));

  await page.getByRole('combobox', { name: 'Environment' }).selectOption('demo');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();

  await page.getByLabel('Filter scenarios').fill('smoke/');
  await expect(page.getByRole('checkbox', { name: 'firmware/flash' })).toHaveCount(0);
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('checkbox', { name: 'smoke/network' }).check();
  await page.getByRole('button', { name: 'Next' }).click();

  await expect(page.getByText('smoke/network')).toBeVisible();
  await page.getByRole('button', { name: 'Submit job' }).click();

  await expect(page).toHaveURL(/\/jobs\/\d+/);
  await expect(page.getByRole('heading', { name: /^Job #\d+/ })).toBeVisible();
  const row = (scenario: string) => page.getByRole('row', { name: scenario });
  await expect(row('smoke/boot')).toContainText('Passed', { timeout: 45_000 });
  await expect(row('smoke/network')).toContainText('Passed', { timeout: 45_000 });
  await expect(page.locator('[data-status="passed"]').first()).toHaveText('Passed');
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
});

test('"Select all" takes every scenario of the branch, and "Back" keeps them', async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Select all' }).click();
  await expect(page.getByRole('checkbox', { name: 'load/soak' })).toBeChecked();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Back' }).click();
  await expect(page.getByRole('checkbox', { name: 'load/soak' })).toBeChecked();
});

test('a branch with two files of one scenario name says so', async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'wip/broken');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('checkbox', { name: 'smoke/typo' })).toBeVisible();
  await expect(page.getByRole('checkbox', { name: 'smoke/boot' })).toHaveCount(0);
  await expect(page.getByRole('listitem').filter({ hasText: 'smoke/boot' })).toBeVisible();
});

test('a job with a failed, a skipped and an erroneous scenario says which is which', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/checksum', 'smoke/wifi', 'firmware/programmer');
  await page.goto(`/jobs/${job.id}`);
  await isLive(page);
  await expect(page.getByRole('row', { name: 'firmware/checksum' })).toContainText('Failed');
  await expect(page.getByRole('row', { name: 'smoke/wifi' })).toContainText('Skipped');
  await expect(page.getByRole('row', { name: 'firmware/programmer' })).toContainText('Error');
  await expect(page.locator('[data-status]').first()).toHaveText('Failed');
});

test('what is scripted is seen on the open dashboard without a reload', async ({ page, api }) => {
  await open(page, '/');
  const job = await api.submit('main', 'smoke/boot');
  const row = jobRow(page, job);
  await expect(row).toContainText('Passed', { timeout: 45_000 });
});
