// The README's pictures, taken when UPDATE_SCREENSHOTS=1. Without it the same views are only opened.

import type { Page } from '@playwright/test';
import { join } from 'node:path';
import { expect, jobRow, open, test } from '../fixtures/test';

const FOLDER = join(__dirname, '../../docs/images');

test.use({ viewport: { width: 1200, height: 800 } });

async function picture(page: Page, name: string): Promise<void> {
  if (process.env.UPDATE_SCREENSHOTS === '1') await page.screenshot({ path: join(FOLDER, `${name}.png`) });
}

test('a job in progress, its log, and the dashboard', async ({ page, api }) => {
  const job = await api.submit(
    'main', 'smoke/boot', 'smoke/network', 'smoke/wifi', 'firmware/checksum', 'firmware/report', 'load/soak', 'load/memory',
  );
  await open(page, `/jobs/${job.id}`);
  await expect(page.getByRole('row', { name: 'load/memory' })).toContainText('Failed', { timeout: 45_000 });
  await expect(page.getByRole('row', { name: 'load/soak' })).toContainText(/\d+ of 60 s/);
  await picture(page, 'job');
  await page.getByRole('link', { name: 'Log of load/soak' }).click();
  await expect(page.getByRole('region', { name: 'Log' })).toContainText(/load \d+ %/);
  await picture(page, 'log');
  await api.run('main', 'smoke/storage', 'firmware/report');
  await api.run('feature/bluetooth', 'smoke/bluetooth', 'firmware/checksum');
  await api.run('main', 'smoke/boot', 'smoke/wifi', 'firmware/programmer');
  await open(page, '/');
  await expect(jobRow(page, job)).toBeVisible();
  await picture(page, 'dashboard');
  await api.abort(job);
});
