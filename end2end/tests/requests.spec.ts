// What comes to the page is read as what it is.

import { expect, open, test } from '../fixtures/test';

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
