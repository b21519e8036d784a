// Every page is scanned by axe for WCAG 2.2 A and AA, in light and in dark; and a phone is enough to abort a job.

import { expectNoViolations } from '../fixtures/axe';
import { chooseBranch, expect, open, test } from '../fixtures/test';

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('dashboard', async ({ page, api }) => {
      await api.run('main', 'smoke/boot', 'firmware/checksum');
      await open(page, '/');
      await expect(page.getByRole('row').nth(1)).toBeVisible();
      await expectNoViolations(page);
    });

    test('each step of the wizard', async ({ page }) => {
      await open(page, '/jobs/new');
      await chooseBranch(page, 'main');
      await expect(page.getByRole('button', { name: 'Next' })).toBeEnabled();
      await expectNoViolations(page);
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
      await expectNoViolations(page);
      await page.getByRole('button', { name: 'Next' }).click();
      await expect(page.getByRole('button', { name: 'Submit job' })).toBeVisible();
      await expectNoViolations(page);
    });

    test('job page with both tabs and its dialog', async ({ page, api }) => {
      const job = await api.run('main', 'smoke/boot', 'firmware/checksum', 'smoke/wifi', 'firmware/programmer');
      await open(page, `/jobs/${job.id}`);
      await expect(page.getByRole('row', { name: 'smoke/boot' })).toBeVisible();
      await expectNoViolations(page);
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectNoViolations(page);
      await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
      await expect(page.getByRole('region', { name: 'Log' })).toContainText('login prompt');
      await expectNoViolations(page);
    });

    test.describe('signed out', () => {
      test.use({ user: null });
      test('sign-in page', async ({ page }) => {
        await open(page, '/login');
        await expectNoViolations(page);
      });
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true });

  test('nothing is wider than the screen, and a job can be aborted', async ({ page, api }) => {
    const job = await api.submit('main', 'load/soak');
    await api.untilRunning(job);
    for (const path of ['/', '/jobs/new', `/jobs/${job.id}?tab=logs&task=${job.id}-1`, `/jobs/${job.id}?tab=scenarios`]) {
      await open(page, path);
      await expect(page.getByRole('main')).toBeVisible();
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      expect(content, path).toBeLessThanOrEqual(screen);
    }
    await page.getByRole('button', { name: 'Abort', exact: true }).tap();
    await page.getByRole('dialog').getByRole('button', { name: 'Abort job' }).tap();
    await expect(page.locator('[data-status]').first()).toHaveText('Aborted', { timeout: 30_000 });
  });
});

test('the wizard can be used with the keyboard alone', async ({ page }) => {
  await open(page, '/jobs/new');
  await page.getByRole('combobox', { name: 'Branch' }).fill('main');
  await page.getByRole('button', { name: 'Validate' }).press('Enter');
  await page.getByRole('button', { name: 'Next' }).press('Enter');
  await page.getByRole('checkbox', { name: 'smoke/boot' }).press('Space');
  await expect(page.getByRole('checkbox', { name: 'smoke/boot' })).toBeChecked();
  await page.getByRole('button', { name: 'Next' }).press('Enter');
  await page.getByRole('button', { name: 'Submit job' }).press('Enter');
  await expect(page).toHaveURL(/\/jobs\/\d+/);
});
