// Times before the page is live: the server knows the reader's zone from the visit before, summer and winter.

import { expect, isLive, open, test } from '../fixtures/test';

const DAY_MS = 24 * 60 * 60 * 1000;

/** As in Berlin, wherever this runs. */
function wallClock(at: number): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'Europe/Berlin', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit',
  }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('day')} ${part('month').slice(0, 3)} ${part('year')}, ${part('hour')}:${part('minute')}`;
}

function offset(at: number): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', timeZoneName: 'longOffset' }).formatToParts(at);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

test.use({ timezoneId: 'Europe/Berlin' });

test('the server draws a moment when the clocks stand otherwise as they stand then', async ({ page, baseURL }) => {
  const now = Date.now();
  const days = [60, 120, 180, 240, 300].find((days) => offset(now + days * DAY_MS) !== offset(now)) ?? 180;
  const headers = { Origin: baseURL ?? '' };
  const name = `ends in ${days} days`;
  const made = await page.request.post('/api/tokens', { headers, data: { name, expires_in_days: days } });
  expect(made.status(), await made.text()).toBe(201);
  const ends = Date.parse((await made.json()).expires_at);
  await open(page, '/account');
  await expect(page.getByRole('row', { name })).toContainText(wallClock(ends));
  // As another document, of which nothing comes alive.
  const drawn = await (await page.request.get('/account')).text();
  expect(drawn).toContain(wallClock(ends));
  expect(offset(ends)).not.toBe(offset(now));
  await page.reload();
  await isLive(page);
  await expect(page.getByRole('row', { name })).toContainText(wallClock(ends));
});
