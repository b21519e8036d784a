// A scenario's history: reached by its address, with how it went, where it failed, and the way into each run.

import { expectNoViolations, expectNothingWider } from '../fixtures/axe';
import { expect, open, test } from '../fixtures/test';

const CHECKSUM = '/scenarios/demo/firmware/checksum';

test('the runs of all branches are there, and of one branch alone', async ({ page, api }) => {
  const failed = await api.run('main', 'firmware/checksum');
  const passed = await api.run('feature/bluetooth', 'firmware/checksum');
  await open(page, CHECKSUM);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('History of firmware/checksum');
  await expect(page).toHaveTitle(/^firmware\/checksum on demo/);
  const runs = page.getByRole('table', { name: 'Runs' });
  const row = (job: { id: number }) =>
    runs.getByRole('row').filter({ has: page.getByRole('link', { name: `Job #${job.id}`, exact: true }) });
  await expect(row(failed)).toContainText('Failed');
  await expect(row(passed)).toContainText('Passed');
  await row(passed).getByRole('link', { name: 'feature/bluetooth' }).click();
  await expect(page).toHaveURL(`${CHECKSUM}?branch=feature/bluetooth`);
  await expect(row(passed)).toBeVisible();
  await expect(row(failed)).toHaveCount(0);
  await expect(page.locator('.stat').filter({ hasText: 'Pass rate' })).toContainText('100 %');
  await page.reload();
  await expect(row(failed)).toHaveCount(0);
  await page.getByRole('link', { name: 'All branches' }).click();
  await expect(row(failed)).toBeVisible();
});

test('since when it fails is told, and a run leads to its log', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/checksum');
  await open(page, `${CHECKSUM}?branch=main`);
  await expect(page.getByText(/Failing since job #\d+ \(/)).toBeVisible();
  await page.getByRole('link', { name: `Log in job #${job.id}`, exact: true }).click();
  await expect(page).toHaveURL(`/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(page.getByRole('region', { name: 'Log' })).toBeVisible();
});

test('the strip of runs is one stop for Tab, and the arrows move along it', async ({ page, api }) => {
  await api.run('main', 'firmware/checksum');
  const job = await api.run('main', 'firmware/checksum');
  await open(page, CHECKSUM);
  const marks = page.getByRole('group', { name: 'Runs from the oldest to the newest' }).getByRole('link');
  await page.getByRole('link', { name: 'Compare the two jobs' }).or(page.locator('.strip a[tabindex="0"]')).last().focus();
  await expect(marks.last()).toBeFocused();
  await page.keyboard.press('ArrowLeft');
  await expect(marks.nth(-2)).toBeFocused();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/jobs\/\d+\?tab=logs/);
  expect(Number(/jobs\/(\d+)/.exec(page.url())?.[1])).toBeGreaterThanOrEqual(job.id);
});

test('what has not run says so, and an environment that is not there is no page', async ({ page }) => {
  await open(page, '/scenarios/demo/smoke/never-run');
  await expect(page.getByRole('heading', { name: 'It has not run here yet' })).toBeVisible();
  const answer = await page.goto('/scenarios/nowhere/smoke/boot');
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole('heading', { name: 'Page not found' })).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in a history', async ({ page, api }) => {
      await api.run('main', 'firmware/checksum', 'smoke/boot');
      await api.run('feature/bluetooth', 'firmware/checksum');
      await open(page, CHECKSUM);
      await expectNoViolations(page);
      await open(page, '/scenarios/demo/smoke/never-run?branch=main');
      await expectNoViolations(page);
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('a history is no wider than the screen', async ({ page, api }) => {
    await api.run('feature/bluetooth', 'firmware/checksum');
    await open(page, CHECKSUM);
    await expect(page.getByRole('table', { name: 'Runs' })).toBeVisible();
    await expectNothingWider(page);
  });
});
