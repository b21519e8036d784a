// How the page fits: every width from a phone to a laptop, many rows at once, the reader's own colours, and little motion.

import { expectNothingWider } from '../fixtures/axe';
import { expect, fetchWhole, hold, jobRow, open, test } from '../fixtures/test';

for (const width of [390, 768, 1024, 1440]) {
  test.describe(`at ${width} px`, () => {
    test.use({ viewport: { width, height: 900 } });

    test('no view scrolls sideways', async ({ page, api }) => {
      const before = await api.run('main', 'smoke/boot', 'firmware/checksum');
      const job = await api.run('feature/bluetooth', 'smoke/bluetooth', 'firmware/report');
      const paths = [
        '/',
        '/?search=nobody',
        '/jobs/new',
        `/jobs/${job.id}?tab=scenarios`,
        `/jobs/${job.id}?tab=logs&task=${job.id}-2`,
        '/jobs/999999',
        '/scenarios/demo/smoke/boot?branch=main',
        `/compare?a=${before.id}&b=${job.id}`,
        '/account',
      ];
      for (const path of paths) {
        await test.step(path, async () => {
          await open(page, path);
          await expect(page.getByRole('main')).toBeVisible();
          await expectNothingWider(page);
        });
      }
    });

    test.describe('for an administrator', () => {
      test.use({ user: 'admin' });

      test('no view scrolls sideways', async ({ page }) => {
        for (const path of ['/admin/users', '/admin/environments', '/admin/audit']) {
          await test.step(path, async () => {
            await open(page, path);
            await expectNothingWider(page);
          });
        }
      });
    });
  });
}

test.describe('on a laptop', () => {
  test.use({ viewport: { width: 1440, height: 900 } });

  test('25 jobs are in sight at once', async ({ page, api }) => {
    await api.run('main', 'smoke/boot', 'firmware/checksum');
    await page.route(
      (url) => url.pathname === '/api/jobs',
      async (route) => {
        const answer = await fetchWhole(route);
        const [job] = (await answer.json()).jobs;
        // As if there were many, and nothing else.
        const jobs = Array.from({ length: 30 }, (_, at) => ({ ...job, id: 900_030 - at }));
        await route.fulfill({ response: answer, json: { jobs, next_cursor: null } });
      },
    );
    await open(page, '/');
    await expect(jobRow(page, { id: 900_001 })).toBeAttached();
    await expect(jobRow(page, { id: 900_006 })).toBeInViewport({ ratio: 0.99 });
  });
});

test('nothing moves for a reader who wants no motion', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page, '/');
  const answer = await hold(page, '/api/jobs');
  await page.getByRole('combobox', { name: 'Status' }).selectOption('passed');
  await expect(page.getByRole('main')).toHaveAttribute('aria-busy', 'true');
  const moving = () =>
    page.evaluate(() => {
      const timings = document.getAnimations().map((animation) => animation.effect?.getComputedTiming());
      return timings.filter((timing) => Number(timing?.duration) > 1 || timing?.iterations === Infinity).length;
    });
  expect(await moving()).toBe(0);
  answer();
});

test('in the system\'s own colours every outcome keeps its shape', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot', 'firmware/checksum');
  await page.emulateMedia({ forcedColors: 'active' });
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  const table = page.getByRole('table', { name: 'Scenarios' });
  await expect(table).toContainText('Failed');
  const seen = await page.evaluate(() => {
    const fill = (element: Element, part?: string) => getComputedStyle(element, part).backgroundColor;
    const canvas = fill(document.documentElement);
    const badges = [...document.querySelectorAll('main .badge')].map((badge) => fill(badge, '::before'));
    const parts = [...document.querySelectorAll('.outcomes > *')].map((part) => getComputedStyle(part).borderTopWidth);
    return { canvas, badges, parts };
  });
  expect(seen.badges.length).toBeGreaterThan(2);
  for (const badge of seen.badges) expect(['rgba(0, 0, 0, 0)', seen.canvas]).not.toContain(badge);
  expect(seen.parts.length).toBe(2);
  for (const edge of seen.parts) expect(edge).not.toBe('0px');
});

test('the exact moment is told by keyboard as well', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, '/');
  const row = jobRow(page, job);
  const told = () =>
    row.getByRole('time').evaluate((time) => [getComputedStyle(time, '::after').content, time.getAttribute('title')]);
  expect((await told())[0]).toBe('none');
  await page.getByRole('textbox', { name: 'Branch' }).focus();
  while (!(await row.getByRole('link').first().evaluate((link) => link === document.activeElement))) {
    await page.keyboard.press('Tab');
  }
  const [shown, exact] = await told();
  expect(shown).toBe(`"${exact}"`);
});
