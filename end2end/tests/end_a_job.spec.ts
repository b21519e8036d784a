// Abort and delete: both ask first, and both are carried through to the runner.

import { expect, fetchWhole, jobRow, open, test } from '../fixtures/test';

test('a running job is aborted after a question', { tag: '@firefox' }, async ({ page, api }) => {
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

test('a job is deleted after a question and is gone from the list', { tag: '@firefox' }, async ({ page, api }) => {
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

test('a rerun that had no answer is tried again as the same one, whatever was done meanwhile', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  const keys: (string | undefined)[] = [];
  let lose: () => void = () => {};
  const lost = new Promise<void>((resolve) => (lose = resolve));
  await page.route('**/rerun', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 1) return route.continue();
    // It comes to the server, and the answer is lost.
    await route.fetch();
    await lost;
    await route.abort();
  });
  await open(page, `/jobs/${job.id}`);
  const rerun = page.getByRole('button', { name: 'Rerun', exact: true });
  await rerun.click();
  await page.getByRole('button', { name: 'Abort', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Abort job' }).click();
  await expect(page.getByRole('button', { name: 'Abort', exact: true })).toHaveCount(0);
  lose();
  await expect(page.getByRole('alert').filter({ hasText: 'The server did not answer.' })).toBeVisible();
  await rerun.click();
  await expect(page).toHaveURL(/\/jobs\/\d+/);
  await expect(page).not.toHaveURL(new RegExp(`/jobs/${job.id}(\\?|$)`));
  expect(keys).toEqual([keys[0], keys[0]]);
  const made = Number(page.url().split('/').pop());
  await page.unrouteAll();
  await api.abort({ ...job, id: made });
});

test.describe('an administrator', () => {
  test.use({ user: 'admin' });

  test('ends a job here whose abort the remote server does not confirm', async ({ page, api }) => {
    const job = await api.submit('main', 'load/soak');
    await api.untilRunning(job);
    // As if its abort had been waiting for a while.
    let isWaiting = true;
    await page.route(
      (url) => url.pathname === `/api/job/${job.id}`,
      async (route) => {
        const answer = await fetchWhole(route);
        const body = await answer.json();
        await route.fulfill({ response: answer, json: isWaiting ? { ...body, abort_requested: true } : body });
      },
    );
    await open(page, '/');
    await jobRow(page, job).getByRole('link').first().click();
    await expect(page.getByRole('button', { name: 'Abort', exact: true })).toHaveCount(0);
    await page.getByRole('button', { name: 'Force abort' }).click();
    const dialog = page.getByRole('dialog', { name: `End job #${job.id} here?` });
    isWaiting = false;
    await dialog.getByRole('button', { name: 'Force abort' }).click();
    await expect(page.locator('[data-status]').first()).toHaveText('Error');
    expect((await api.job(job.id)).status_reason).toBe('forced');
    await expect(page.getByRole('button', { name: 'Force abort' })).toHaveCount(0);
  });
});
