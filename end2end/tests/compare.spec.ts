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

test('a comparison keeps itself up to date until both have ended, and folds stay as they were left', async ({ page, api }) => {
  const a = await api.run('main', 'smoke/boot', 'smoke/network', 'smoke/storage');
  const b = await api.submit('main', 'smoke/boot', 'smoke/network', 'load/soak');
  await api.untilRunning(b);
  let asked = 0;
  await page.route(
    (url) => url.pathname === '/api/compare',
    async (route) => {
      await route.continue();
      asked++;
    },
  );
  await open(page, `/compare?a=${a.id}&b=${b.id}`);
  await expect(page.getByText('Not both have ended')).toBeVisible();
  const same = page.getByRole('row', { name: 'smoke/network' });
  const fold = page.getByText(/^\d scenarios as before$/);
  await expect(same).toBeHidden();
  await fold.click();
  await expect(same).toBeVisible();
  const link = same.getByRole('link', { name: 'smoke/network' });
  await link.focus();
  await expect.poll(() => asked).toBeGreaterThan(1);
  await expect(same).toBeVisible();
  await api.abort(b);
  await api.untilEnded(b);
  await expect(page.getByText('Both ran the same commit')).toBeVisible();
  const side = page.locator('section').filter({ has: page.getByRole('link', { name: `Job #${b.id}`, exact: true }) });
  await expect(side).toContainText('Aborted');
  await expect(same).toBeVisible();
  await expect(link).toBeFocused();
  await fold.click();
  await expect(same).toBeHidden();

  // Nothing more comes: a tab that is shown again does not ask either.
  const before = asked;
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  const me = page.waitForResponse((response) => new URL(response.url()).pathname === '/api/me');
  await page.evaluate(() => fetch('/api/me'));
  await me;
  expect(asked).toBe(before);
});

test('another job to compare with is one of the last of the same branch, or any by its number', async ({ page, api }) => {
  const first = await api.run('main', 'smoke/boot');
  const other = await api.run('feature/bluetooth', 'smoke/boot');
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/compare?b=${job.id}`);
  await expect(page.getByRole('textbox', { name: 'Job after' })).toHaveValue(`${job.id}`);
  await expect(page.getByRole('heading', { level: 2 })).toHaveText('Last jobs of main on demo');
  const offered = page.getByRole('table', { name: 'Jobs' });
  await expect(offered.getByRole('link', { name: `Job #${first.id}`, exact: true })).toBeVisible();
  await expect(offered.getByRole('link', { name: `Job #${other.id}`, exact: true })).toHaveCount(0);
  await expect(offered.getByRole('link', { name: `Job #${job.id}`, exact: true })).toHaveCount(0);
  await offered.getByRole('link', { name: `Job #${first.id}`, exact: true }).click();
  await expect(page).toHaveURL(`/compare?a=${first.id}&b=${job.id}`);

  await page.getByRole('link', { name: 'Compare with another…' }).click();
  await expect(page).toHaveURL(`/compare?b=${job.id}`);
  await page.getByRole('textbox', { name: 'Job before' }).fill(`#${other.id}`);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Job #${other.id} and job #${job.id}`);

  await open(page, `/compare?a=${job.id}&b=${job.id}`);
  await expect(page.getByText('they are one and the same job')).toBeVisible();
  await page.getByRole('link', { name: 'Compare with another…' }).click();
  await page.getByRole('textbox', { name: 'Job before' }).fill('999999999');
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'there is no job 999999999' })).toBeVisible();
  await expect(offered.getByRole('link', { name: `Job #${first.id}`, exact: true })).toBeVisible();
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
