// How the main views look, light and dark, on a laptop and on a phone, beside how they looked before.
// `npm run snapshots` takes them anew; look at what changed.

import type { Page } from '@playwright/test';
import { lookTheSame, openToldJobs } from '../fixtures/look';
import { chooseBranch, expect, logLines, test } from '../fixtures/test';
import { JOB } from '../fixtures/told';

test.use({ user: 'admin', timezoneId: 'UTC' });

async function openJob(page: Page): Promise<void> {
  await page.getByRole('link', { name: `Job #${JOB}` }).click();
  await expect(page.getByRole('row', { name: 'power/brownout' })).toContainText('Failed');
}

/** Each from the dashboard, as one comes to it; what is drawn before the page is live is the server's, and other. */
const VIEWS: Record<string, (page: Page) => Promise<void>> = {
  dashboard: async () => {},
  'new job': async (page) => {
    await page.getByRole('link', { name: 'New job' }).click();
    await chooseBranch(page, 'release/4.2');
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(page.getByText('12 % flaky')).toBeAttached();
  },
  job: openJob,
  log: async (page) => {
    await openJob(page);
    await page.getByRole('link', { name: 'Log of power/brownout' }).click();
    await expect(logLines(page).last()).toHaveText('31');
  },
  account: async (page) => {
    await page.locator('.account-menu summary').click();
    await page.getByRole('link', { name: 'Account and tokens' }).click();
    await expect(page.getByRole('table', { name: 'Tokens' })).toBeVisible();
  },
  administration: async (page) => {
    await page.getByRole('navigation').getByRole('link', { name: 'Environments' }).click();
    await expect(page.getByRole('heading', { name: 'bench-c' })).toBeVisible();
  },
};

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [width, height] of [[1440, 900], [390, 844]]) {
    test.describe(`${colorScheme}, ${width} px`, () => {
      test.use({ colorScheme, viewport: { width, height } });
      for (const [view, come] of Object.entries(VIEWS)) {
        test(`${view} looks as before`, async ({ page }) => {
          await lookTheSame(page);
          await openToldJobs(page);
          await come(page);
          await page.mouse.move(0, 0);
          await expect(page).toHaveScreenshot(`${view}-${colorScheme}-${width}.png`.replace(' ', '-'));
        });
      }
    });
  }
}
