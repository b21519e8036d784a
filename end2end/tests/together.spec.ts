// Several people, and several tabs of one: what the others do is seen, and what is theirs is left to them.

import { type APIRequestContext, request } from '@playwright/test';
import { Api, expect, open, password, test } from '../fixtures/test';

/** The API by Basic auth. */
function client(baseURL: string | undefined, user: 'admin' | 'demo'): Promise<APIRequestContext> {
  const httpCredentials = { username: user, password: password(user), send: 'always' as const };
  return request.newContext({ baseURL, httpCredentials });
}

test('what is done in one tab is seen in the other', async ({ page, context, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  const abort = page.getByRole('button', { name: 'Abort', exact: true });
  await expect(abort).toBeVisible();
  const other = await context.newPage();
  await open(other, `/jobs/${job.id}?tab=scenarios`);
  await other.getByRole('button', { name: 'Abort', exact: true }).click();
  await other.getByRole('dialog').getByRole('button', { name: 'Abort job' }).click();
  await expect(page.locator('.job-state')).toContainText('Aborted', { timeout: 30_000 });
  await expect(abort).toBeHidden();
});

test('a job that is deleted while it is open is said to be gone, and asked about no more', async ({ page, api, baseURL }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await page.clock.install();
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  const script = await client(baseURL, 'demo');
  expect((await script.delete(`/api/job/${job.id}`)).ok()).toBe(true);
  await script.dispose();
  await expect(page.getByRole('heading', { name: `Job #${job.id} is deleted` })).toBeVisible({ timeout: 45_000 });
  let asked = 0;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith(`/api/job/${job.id}`)) asked++;
  });
  for (let poll = 0; poll < 3; poll++) {
    await page.clock.runFor(7_000);
    // What was asked before has been answered by then, and the next timer set.
    await page.evaluate(() => fetch('/api/environments'));
  }
  expect(asked).toBe(0);
});

test('a job of somebody else can be run again, not aborted or deleted; an administrator can do both', async ({
  page,
  api,
  baseURL,
  browser,
}) => {
  const script = await client(baseURL, 'admin');
  const admins = new Api(script);
  const job = await admins.submit('main', 'load/soak');
  await admins.untilRunning(job);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await expect(page.getByRole('button', { name: 'Rerun', exact: true })).toBeVisible();
  for (const name of ['Abort', 'Delete']) await expect(page.getByRole('button', { name, exact: true })).toHaveCount(0);
  await admins.abort(job);
  await script.dispose();

  const own = await api.submit('main', 'load/soak');
  await api.untilRunning(own);
  const context = await browser.newContext({ baseURL, storageState: process.env.TESTARENA_STATE_admin });
  const admin = await context.newPage();
  await open(admin, `/jobs/${own.id}?tab=scenarios`);
  await expect(admin.getByRole('button', { name: 'Delete', exact: true })).toBeVisible();
  await admin.getByRole('button', { name: 'Abort', exact: true }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Abort job' }).click();
  await expect.poll(async () => (await api.job(own.id)).status_reason, { timeout: 30_000 }).toBe('aborted_by:admin');
  await context.close();
});
