// The page's requests: what nobody waits for any more is given up, and what comes is read as what it is.

import { type Page, type Request } from '@playwright/test';
import { expect, hold, open, test } from '../fixtures/test';

/** The next request that the page gives up. */
function givenUp(page: Page, is: (url: URL) => boolean): Promise<Request> {
  return page.waitForEvent('requestfailed', (request) => is(new URL(request.url())));
}

test('a question of a view that is left is given up', async ({ page, api }) => {
  await api.run('main', 'smoke/boot');
  await open(page, '/');
  await hold(page, '/api/jobs');
  const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.get('search') === 'nobody');
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('nobody');
  await asked;
  const ended = givenUp(page, (url) => url.searchParams.get('search') === 'nobody');
  await page.getByRole('link', { name: 'New job' }).click();
  expect((await ended).failure()?.errorText).toBe('net::ERR_ABORTED');
  await expect(page.getByRole('heading', { name: 'New job' })).toBeVisible();
  await expect(page.getByText("Can't reach the server")).toBeHidden();
});

test('a poll of a view that is left is given up, and so is a search that another one follows', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}`);
  await hold(page, `/api/job/${job.id}`);
  await page.waitForRequest((request) => new URL(request.url()).pathname === `/api/job/${job.id}`);
  const poll = givenUp(page, (url) => url.pathname === `/api/job/${job.id}`);
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await poll;
  await hold(page, '/api/jobs');
  const search = page.getByRole('searchbox', { name: 'Search jobs' });
  const first = page.waitForRequest((request) => new URL(request.url()).searchParams.get('search') === 'ab');
  await search.fill('ab');
  await first;
  const followed = givenUp(page, (url) => url.searchParams.get('search') === 'ab');
  await search.fill('abc');
  await followed;
  await api.abort(job);
});

test('a deed that was asked for goes on when its view is left', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await api.untilRunning(job);
  await open(page, `/jobs/${job.id}`);
  const answer = await hold(page, `/api/job/${job.id}/abort`);
  await page.getByRole('button', { name: 'Abort' }).click();
  const dialog = page.getByRole('dialog');
  if (await dialog.isVisible()) await dialog.getByRole('button', { name: 'Abort' }).click();
  await expect(page.getByText('Asking for the abort…')).toBeVisible();
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible();
  answer();
  await expect.poll(async () => (await api.job(job.id)).abort_requested || (await api.job(job.id)).status === 'aborted').toBe(true);
});

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

for (const [encoding, body] of Object.entries({
  'UTF-16': utf16('Prüfung: 3 µV\r\nλ ✓'),
  'UTF-16, big end first': utf16('Prüfung: 3 µV\r\nλ ✓').swap16(),
  'UTF-8 with a mark': Buffer.from('\ufeffPrüfung: 3 µV\nλ ✓'),
})) {
  test(`a result file in ${encoding} is read as that`, async ({ page, api }) => {
    const job = await api.run('main', 'firmware/report');
    const results = `/api/job/${job.id}/tasks/${job.id}-1/results`;
    const files = [{ path: 'report.txt', size: body.length, content_type: 'text/plain' }];
    await page.route(
      (url) => url.pathname.startsWith(results),
      (route) => {
        const isList = new URL(route.request().url()).pathname === results;
        return route.fulfill(isList ? { json: { files } } : { contentType: 'text/plain', body });
      },
    );
    await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
    await page.getByRole('list', { name: 'Result files' }).getByRole('link', { name: 'report.txt' }).click();
    await expect(page.getByRole('region', { name: 'Result file report.txt' }).locator('pre')).toHaveText(/^Prüfung: 3 µV\s+λ ✓$/);
  });
}

test('a result file in Latin-1 that says so is read as that', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/report');
  const results = `/api/job/${job.id}/tasks/${job.id}-1/results`;
  const contentType = 'text/plain; charset=windows-1252';
  const files = [{ path: 'report.txt', size: 12, content_type: contentType }];
  await page.route(
    (url) => url.pathname.startsWith(results),
    (route) => {
      const isList = new URL(route.request().url()).pathname === results;
      return route.fulfill(isList ? { json: { files } } : { contentType, body: Buffer.from('Prüfung: 3 µV', 'latin1') });
    },
  );
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await page.getByRole('list', { name: 'Result files' }).getByRole('link', { name: 'report.txt' }).click();
  await expect(page.getByText('Prüfung: 3 µV')).toBeVisible();
});
