// The README's pictures, of what fixtures/told.ts tells, so that they are the same whenever they are taken.

import type { Page } from '@playwright/test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import UPNG from 'upng-js';
import { lookTheSame, openToldJobs } from '../fixtures/look';
import { expect, logLines, test } from '../fixtures/test';
import { JOB } from '../fixtures/told';

const FOLDER = join(__dirname, '../../docs/pictures');
/** Of each, so that the README is there at once. */
const LARGEST = 200_000;
/** More is not told apart, and would be three times as much. */
const COLOURS = 256;

test.use({ user: 'admin', timezoneId: 'UTC' });

async function take(page: Page, name: string): Promise<void> {
  // No row lights up under it.
  await page.mouse.move(0, 0);
  const { width, height, ...shot } = UPNG.decode(await page.screenshot({ animations: 'disabled' }));
  const packed = Buffer.from(UPNG.encode(UPNG.toRGBA8({ width, height, ...shot }), width, height, COLOURS));
  expect(packed.length).toBeLessThan(LARGEST);
  writeFileSync(join(FOLDER, `${name}.png`), packed);
}

test('the dashboard, a job with failed scenarios, and a log in the dark', async ({ page }) => {
  await lookTheSame(page);
  await openToldJobs(page);
  await page.setViewportSize({ width: 1200, height: 610 });
  await take(page, 'dashboard');
  await page.setViewportSize({ width: 1200, height: 700 });
  await page.getByRole('link', { name: `Job #${JOB}` }).click();
  await expect(page.getByRole('row', { name: 'power/brownout' })).toContainText('Failed');
  await take(page, 'job');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.getByRole('link', { name: 'Log of power/brownout' }).click();
  await expect(logLines(page).last()).toHaveText('31');
  await take(page, 'log');
});
