// Two jobs side by side: what differs between them, in groups, with both commits.

import { expectNoViolations, expectNothingWider } from '../fixtures/axe';
import { expect, open, test } from '../fixtures/test';

test('what is fixed, what only one has and what is as before are told apart', async ({ page, api }) => {
  const a = await api.run('main', 'firmware/checksum', 'smoke/boot', 'smoke/network');
  const b = await api.run('feature/bluetooth', 'firmware/checksum', 'smoke/boot', 'smoke/bluetooth');
  await open(page, `/compare?a=${a.id}&b=${b.id}`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Job #${a.id} and job #${b.id}`);
  const changes = page.getByRole('table', { name: 'Changes' });
  await expect(changes.getByRole('rowheader')).toHaveText(['Fixed (1)', `Only in job #${a.id} (1)`, `Only in job #${b.id} (1)`]);
  await expect(changes.getByRole('row', { name: 'firmware/checksum' })).toContainText(/Failed\s*Passed/);
  await expect(changes.getByRole('row', { name: 'smoke/bluetooth' })).toContainText(/not in it\s*Passed/);
  await expect(page.getByRole('row', { name: 'smoke/boot' })).toBeHidden();
  await page.getByText('1 scenario as before').click();
  await expect(page.getByRole('row', { name: 'smoke/boot' })).toBeVisible();
  for (const side of [a, b]) {
    const heading = page.getByRole('heading', { level: 2 });
    await expect(heading.getByRole('link', { name: `Job #${side.id}`, exact: true })).toBeVisible();
  }

  await page.getByRole('link', { name: 'Swap' }).click();
  await expect(page).toHaveURL(`/compare?a=${b.id}&b=${a.id}`);
  await expect(changes.getByRole('rowheader').first()).toHaveText('Newly failed (1)');
  await changes.getByRole('link', { name: 'firmware/checksum' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('History of firmware/checksum');
});

test('which jobs can be said on the page, and a job that is not there is told', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/compare');
  await page.getByRole('textbox', { name: 'Job before' }).fill(`#${job.id}`);
  await page.getByRole('textbox', { name: 'Job after' }).fill('999999999');
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'Not found' })).toBeVisible();
  await page.getByRole('textbox', { name: 'Job after' }).fill(`${job.id}`);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.getByText('Both ran the same commit')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in a comparison', async ({ page, api }) => {
      const a = await api.run('main', 'firmware/checksum', 'smoke/boot');
      const b = await api.run('feature/bluetooth', 'firmware/checksum', 'smoke/bluetooth');
      await open(page, '/compare');
      await expectNoViolations(page);
      await open(page, `/compare?a=${b.id}&b=${a.id}`);
      await expectNoViolations(page);
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('a comparison is no wider than the screen', async ({ page, api }) => {
    const a = await api.run('main', 'firmware/checksum', 'firmware/programmer');
    const b = await api.run('feature/bluetooth', 'firmware/checksum', 'smoke/bluetooth');
    await open(page, `/compare?a=${a.id}&b=${b.id}`);
    await expect(page.getByRole('table', { name: 'Changes' })).toBeVisible();
    await expectNothingWider(page);
  });
});
