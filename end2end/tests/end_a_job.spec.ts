// Abort and delete: both ask first, and both are carried through to the runner.

import { expect, jobRow, open, test } from '../fixtures/test';

test('a running job is aborted after a question', async ({ page, api }) => {
  // Another test tells how smoke/boot went last.
  const job = await api.submit('main', 'load/soak', 'firmware/flash');
  await api.untilRunning(job);
  await open(page, `/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Abort', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toBeHidden();
  expect((await api.job(job.id)).abort_requested).toBe(false);

  await page.getByRole('button', { name: 'Abort', exact: true }).click();
  await dialog.getByRole('button', { name: 'Abort job' }).click();
  await expect(page.locator('[data-status]').first()).toHaveText('Aborted', { timeout: 30_000 });
  await expect(page.getByRole('row', { name: 'load/soak' })).toContainText('Aborted');
  expect((await api.job(job.id)).status_reason).toBe('aborted_by:demo');
  // The button that had the focus is gone: a keyboard goes on at the content.
  await expect(page.getByRole('main')).toBeFocused();
});

test('a task that ignores a polite end is aborted all the same', async ({ api }) => {
  const job = await api.submit('main', 'load/stubborn');
  await api.untilRunning(job);
  await api.abort(job);
  expect((await api.untilEnded(job)).status).toBe('aborted');
});

test('a job is deleted after a question and is gone from the list', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete job' }).click();
  await expect.poll(() => api.status(job.id), { timeout: 30_000 }).toBe(404);
  await open(page, '/');
  await expect(jobRow(page, job)).toHaveCount(0);
});

test('"Rerun failed" makes a new job of what failed', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot', 'firmware/checksum');
  await open(page, `/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Rerun failed' }).click();
  await expect(page).not.toHaveURL(new RegExp(`/jobs/${job.id}(\\?|$)`));
  await expect(page).toHaveURL(/\/jobs\/\d+/);
  await expect(page.getByRole('row', { name: 'firmware/checksum' })).toContainText('Failed', { timeout: 45_000 });
  await expect(page.getByRole('row', { name: 'smoke/boot' })).toHaveCount(0);
});
