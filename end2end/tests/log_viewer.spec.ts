// Reading a log: following its end, finding in it, and pointing at its lines.

import type { Page } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { expectNoViolations, expectNothingWider } from '../fixtures/axe';
import { type Api, expect, lastLine, logLines, open, tab, test } from '../fixtures/test';

const log = (page: Page) => page.getByRole('region', { name: 'Log', exact: true });
const line = (page: Page, number: number) => page.getByRole('link', { name: `Line ${number}`, exact: true });

/** What the API says of such a log, without the minutes that it takes to print one. */
async function answerWithLog(page: Page, total: number, text: (number: number) => string) {
  await page.route(
    (url) => url.pathname.endsWith('/log/lines'),
    async (route) => {
      const query = new URL(route.request().url()).searchParams;
      const limit = Number(query.get('limit') ?? query.get('tail'));
      const first = query.has('from') ? Number(query.get('from')) : Math.max(1, total - limit + 1);
      const count = Math.max(0, Math.min(limit, total - first + 1));
      const lines = Array.from({ length: count }, (_, at) => text(first + at));
      await route.fulfill({ json: { first, lines, total, bytes: total * 20, complete: true } });
    },
  );
}

/** Opens a made-up log of so many lines, as by a click on it; its end is in sight then. */
async function openLogOf(page: Page, api: Api, total: number): Promise<void> {
  const job = await api.run('main', 'smoke/boot');
  await answerWithLog(page, total, (number) => `line number ${number}`);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, total)).toBeInViewport();
}

/** The first and the last line of which all is seen. */
async function inSight(page: Page): Promise<{ first: number; last: number }> {
  const box = await log(page).boundingBox();
  const seen = await log(page)
    .locator('[data-line]')
    .evaluateAll((lines, box) => {
      const isSeen = (line: Element) => {
        const { top, bottom } = line.getBoundingClientRect();
        return box !== null && top >= box.y - 1 && bottom <= box.y + box.height + 1;
      };
      return lines.filter(isSeen).map((line) => Number(line.getAttribute('data-line')));
    }, box);
  return { first: seen[0] ?? 0, last: seen.at(-1) ?? 0 };
}

/** Pixels from the end of what can be scrolled. */
function fromEnd(page: Page): Promise<number> {
  return log(page).evaluate((log) => Math.abs(log.scrollTop + log.clientHeight - log.scrollHeight));
}

/** To the next screen, which begins where this one ends at the latest. */
async function turnPage(page: Page, key: string): Promise<void> {
  const { last } = await inSight(page);
  await page.keyboard.press(key);
  await expect.poll(async () => (await inSight(page)).last).toBeGreaterThan(last);
  expect((await inSight(page)).first).toBeLessThanOrEqual(last + 1);
}

for (const scale of [1, 1.1, 1.5]) {
  test.describe(`at a display scale of ${scale}`, () => {
    test.use({ deviceScaleFactor: scale, viewport: { width: 1200, height: 837 } });

    test('a log that grows is followed', async ({ page, api }) => {
      const job = await api.submit('main', 'load/soak');
      await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
      const follow = page.getByRole('switch', { name: 'Follow' });
      await expect(logLines(page).first()).toBeVisible({ timeout: 45_000 });
      const before = await lastLine(page);
      await expect.poll(() => lastLine(page), { timeout: 30_000 }).toBeGreaterThan(before + 4);
      await expect(follow).toBeChecked();
      await expect(logLines(page).last()).toBeInViewport();
      await api.abort(job);
    });
  });
}

test('"Follow" goes off by scrolling up and on again at the end', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const follow = page.getByRole('switch', { name: 'Follow' });
  await expect(log(page)).toContainText('200000', { timeout: 30_000 });
  await expect(follow).toBeChecked();
  await log(page).hover();
  await page.mouse.wheel(0, -2_000);
  await expect(follow).not.toBeChecked();
  await page.mouse.wheel(0, 10_000);
  await expect(follow).toBeChecked();
});

test('a link to lines marks them, survives a reload, and belongs to its log', { tag: '@firefox' }, async ({ page, api, browserName }) => {
  const job = await api.run('main', 'load/flood', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1#L120-L140`);
  await expect(line(page, 130)).toBeInViewport();
  await expect(page.locator('.log-line.is-target').first()).toHaveAttribute('data-line', '120');
  await line(page, 125).click();
  await expect(page).toHaveURL(/#L125$/);
  const before = await line(page, 125).boundingBox();
  await line(page, 128).click({ modifiers: ['Shift'] });
  await expect(page).toHaveURL(/#L125-L128$/);
  await expect(page.locator('.log-line.is-target')).toHaveCount(4);
  // Over WebDriver BiDi, Playwright itself scrolls to what it clicks at.
  if (browserName === 'chromium') expect((await line(page, 125).boundingBox())?.y).toBe(before?.y);
  await page.getByRole('list', { name: 'Tasks' }).getByRole('link', { name: 'smoke/boot' }).click();
  await expect(page).not.toHaveURL(/#L/);
});

test('line links are reached by keyboard, and the arrow keys lead from line to line', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1#L1000`);
  await expect(line(page, 1000)).toBeInViewport();
  await log(page).focus();
  await page.keyboard.press('Tab');
  await expect(line(page, 1000)).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(line(page, 1001)).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/#L1001$/);
  await expect(line(page, 1001)).toBeFocused();
});

test('find begins where one is, tells which of how many, and goes on with n and N', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1#L150000`);
  await expect(line(page, 150_000)).toBeInViewport();
  await page.getByRole('textbox', { name: 'Find in log' }).fill('99999');
  const told = page.getByRole('status').filter({ hasText: / of \d+$/ });
  await expect(told).toHaveText('2 of 2');
  await expect(line(page, 199_999)).toBeInViewport();
  await log(page).focus();
  await page.keyboard.press('n');
  await expect(told).toHaveText('1 of 2');
  await expect(line(page, 99_999)).toBeInViewport();
  await page.keyboard.press('Shift+N');
  await expect(told).toHaveText('2 of 2');
});

test('Enter right after another word finds that one', async ({ page, api }) => {
  await openLogOf(page, api, 3_000);
  const asked: string[] = [];
  await page.route(
    (url) => url.pathname.endsWith('/log/search'),
    (route) => {
      const words = new URL(route.request().url()).searchParams.get('q') ?? '';
      asked.push(words);
      const lines = words === 'old' ? [10, 20] : [30, 40];
      const matches = lines.map((line) => ({ line, text: `line number ${line}` }));
      return route.fulfill({ json: { matches, total: 2, next_from: null } });
    },
  );
  const search = page.getByRole('textbox', { name: 'Find in log' });
  await search.fill('old');
  await expect(page.getByText('1 of 2', { exact: true })).toBeVisible();
  await search.fill('new');
  await search.press('Enter');
  await expect(line(page, 30)).toBeInViewport();
  await expect(page.getByText('1 of 2', { exact: true })).toBeVisible();
  // And what the typing itself would have asked for is not asked for again.
  await page.waitForLoadState('networkidle');
  expect(asked).toEqual(['old', 'new']);
  await search.press('Enter');
  await expect(line(page, 40)).toBeInViewport();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('any colour can be read on any ground', async ({ page, api }) => {
      const job = await api.run('main', 'smoke/boot');
      const codes = ['30', '31', '34', '37', '90', '93', '97', '38;2;255;255;255', '38;2;0;0;0', '2', '39'];
      const grounds = ['40', '41', '42', '43', '44', '47', '100', '107', '48;2;0;0;0', '48;2;255;255;255', '49'];
      await answerWithLog(page, grounds.length, (number) =>
        codes.map((code) => `\u001b[${code};${grounds[number - 1]}m ${code} \u001b[0m`).join(''),
      );
      await open(page, `/jobs/${job.id}?tab=scenarios`);
      await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
      await expect(line(page, grounds.length)).toBeInViewport();
      await expectNoViolations(page);
    });
  });
}

test('the first line that tells of an error is one press away', async ({ page, api }) => {
  const job = await api.run('main', 'firmware/checksum');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await page.getByRole('button', { name: 'First error' }).click();
  await expect(page.locator('.log-line.is-target')).toContainText(/error|fail/i);
});

test('what is protocol between scenario and runner is dimmed', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const protocol = page.locator('.log-line.is-protocol').first();
  await expect(protocol).toContainText('::progress', { timeout: 45_000 });
  await api.abort(job);
});

test('every one of two million lines is reached, and the page stays small', { tag: '@firefox' }, async ({ page, api }) => {
  const TOTAL = 2_000_000;
  await openLogOf(page, api, TOTAL);
  await expect(log(page)).toContainText(`line number ${TOTAL}`);
  await expect.poll(() => fromEnd(page)).toBeLessThanOrEqual(1);
  // Firefox ignores an element that is higher.
  expect(await log(page).evaluate((log) => log.scrollHeight)).toBeLessThan(17_895_697);

  await log(page).focus();
  await page.keyboard.press('Home');
  await expect(line(page, 1)).toBeInViewport();
  await expect.poll(async () => (await inSight(page)).first).toBe(1);
  // No line is stepped over, though the scroll bar moves over a quarter of the log's height.
  const lines = () => inSight(page);
  const screen = await lines();
  for (const key of ['PageDown', 'Space', 'PageDown']) await turnPage(page, key);
  for (const press of ['PageUp', 'Shift+Space', 'PageUp']) await page.keyboard.press(press);
  await expect.poll(lines).toEqual(screen);
  await page.keyboard.press('ArrowDown');
  await expect.poll(async () => (await lines()).first).toBe(3);
  await log(page).hover();
  for (let turn = 0; turn < 10; turn++) await page.mouse.wheel(0, 100);
  await expect.poll(async () => (await lines()).first).toBe(53);
  await page.mouse.wheel(0, -1_040);
  await expect.poll(lines).toEqual(screen);
  await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();
  await log(page).evaluate((log) => (log.scrollTop = log.scrollHeight / 2));
  await expect.poll(() => lastLine(page)).toBeGreaterThan(990_000);
  await expect(log(page)).toContainText(`line number ${await lastLine(page)}`);
  expect(await logLines(page).count()).toBeLessThanOrEqual(300);
  await page.keyboard.press('End');
  await expect(line(page, TOTAL)).toBeInViewport();
  await page.keyboard.press('PageUp');
  await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();
  await expect(line(page, TOTAL)).not.toBeInViewport();
  await page.keyboard.press('PageDown');
  await expect(line(page, TOTAL)).toBeInViewport();
  await expect(page.getByRole('switch', { name: 'Follow' })).toBeChecked();
});

test('each line has its own colours, whatever the line before it ended with', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const lines = ['\u001b[32m100%', 'plain', '\u001b[31mred'];
  await answerWithLog(page, lines.length, (number) => lines[number - 1]);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  const text = (number: number) => page.locator(`[data-line="${number}"] .log-text span`);
  await expect(text(1)).toHaveClass('fg-2');
  await expect(text(2)).toHaveText('plain');
  await expect(text(2)).toHaveClass('');
  await expect(text(3)).toHaveClass('fg-1');
});

test('links and marks of direction in a line stay in that line', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const lines = ['see \u001b]8;;https://bench.example/\u001b\\the manual\u001b]8;;\u001b\\ first', 'abc \u202edef', 'ghi'];
  await answerWithLog(page, lines.length, (number) => lines[number - 1]);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  const text = (number: number) => page.locator(`[data-line="${number}"] .log-text`);
  await expect(text(1)).toHaveText('see the manual first');
  await expect(text(1).getByRole('link')).toHaveCount(0);
  await expect(text(2)).toContainText('def');
  // Its number stands where the others do.
  const left = async (number: number) => (await line(page, number).boundingBox())?.x;
  expect(await left(2)).toBe(await left(1));
  await expect(text(3)).toHaveText('ghi');
});

test('long lines are wrapped where that is wanted, and each of them is reached', { tag: '@firefox' }, async ({ page, api }) => {
  const TOTAL = 5_000;
  const job = await api.run('main', 'smoke/boot');
  await answerWithLog(page, TOTAL, (number) => `line number ${number} ${'and on '.repeat(80)}end of ${number}`);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, TOTAL)).toBeInViewport();
  const sideways = () => log(page).evaluate((log) => log.scrollWidth - log.clientWidth);
  await expect.poll(sideways).toBeGreaterThan(0);
  await page.getByRole('switch', { name: 'Wrap' }).click();
  await expect.poll(sideways).toBe(0);
  await expect(page.getByText(`end of ${TOTAL}`)).toBeInViewport();
  await expect(page.getByRole('switch', { name: 'Follow' })).toBeChecked();

  await log(page).focus();
  await page.keyboard.press('Home');
  await expect(line(page, 1)).toBeInViewport();
  await expect.poll(async () => (await inSight(page)).first).toBe(1);
  // Until their text has come they are less high, and more of them in sight.
  await expect(page.locator('[data-line="1"]')).toContainText('end of 1');
  for (let turn = 0; turn < 3; turn++) await turnPage(page, 'PageDown');
  await page.keyboard.press('End');
  await expect(page.getByText(`end of ${TOTAL}`)).toBeInViewport();
  const { first } = await inSight(page);
  for (let turn = 0; turn < 3; turn++) await page.keyboard.press('PageUp');
  await expect.poll(async () => (await inSight(page)).last).toBeLessThan(first);
  await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();
  while ((await inSight(page)).last < TOTAL) await turnPage(page, 'PageDown');
  await page.keyboard.press('End');
  await expect(page.getByRole('switch', { name: 'Follow' })).toBeChecked();
  // No higher than it was, however high its lines are.
  await expect.poll(() => fromEnd(page)).toBeLessThanOrEqual(1);
});

test('what is marked in a log stays marked while one scrolls up', { tag: '@firefox' }, async ({ page, api }) => {
  await openLogOf(page, api, 5_000);
  await page.evaluate(() => (location.hash = '#L2000'));
  await expect(line(page, 2_000)).toBeInViewport();
  await page.locator('[data-line="2000"] .log-text').evaluate((text) => getSelection()?.selectAllChildren(text));
  const top = () => page.locator('[data-line]').first().getAttribute('data-line').then(Number);
  const before = await top();
  for (let step = 0; step < 3; step++) {
    const now = await top();
    await log(page).evaluate((log) => (log.scrollTop -= 100));
    await expect.poll(top).toBeLessThan(now);
  }
  expect(await top()).toBeLessThanOrEqual(before - 12);
  expect(await page.evaluate(() => getSelection()?.toString())).toBe('line number 2000');
});

test('lines so long that an answer has few of them are read, each once', async ({ page, api }) => {
  const [TOTAL, MOST] = [2_000, 60];
  const job = await api.run('main', 'smoke/boot');
  let asked = 0;
  await page.route(
    (url) => url.pathname.endsWith('/log/lines'),
    async (route) => {
      asked++;
      const query = new URL(route.request().url()).searchParams;
      const limit = Math.min(MOST, Number(query.get('limit') ?? query.get('tail')));
      const first = query.has('from') ? Number(query.get('from')) : TOTAL - limit + 1;
      const count = Math.max(0, Math.min(limit, TOTAL - first + 1));
      const lines = Array.from({ length: count }, (_, at) => `line number ${first + at}`);
      await route.fulfill({ json: { first, lines, total: TOTAL, bytes: TOTAL * 20, complete: true } });
    },
  );
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, TOTAL)).toBeInViewport();
  for (const number of [1_000, 1, 1_500]) {
    const before = asked;
    await page.evaluate((number) => (location.hash = `#L${number}`), number);
    await expect(line(page, number)).toBeInViewport();
    await expect(page.locator(`[data-line="${number}"]`)).toContainText('line number');
    const { first, last } = await inSight(page);
    for (const seen of [first, last]) await expect(page.locator(`[data-line="${seen}"]`)).toContainText('line number');
    await page.waitForLoadState('networkidle');
    expect(asked - before).toBeLessThanOrEqual(4);
  }
});

test('the chosen lines are copied as plain text, once', async ({ page, api, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  let writes = 0;
  await page.exposeFunction('noteWrite', () => (writes += 1));
  await page.addInitScript(() => {
    const { clipboard } = navigator;
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = async (text) => {
      await (window as unknown as { noteWrite: () => Promise<void> }).noteWrite();
      return write(text);
    };
  });
  const job = await api.run('main', 'smoke/boot');
  await answerWithLog(page, 3_000, (number) => `\u001b[3${number % 8}mline\u001b[0m number ${number}`);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, 3_000)).toBeInViewport();
  const chosen = page.locator('.log-line.is-target');
  await line(page, 2_990).click();
  await expect(chosen).toHaveCount(1);
  await line(page, 2_992).click({ modifiers: ['Shift'] });
  await expect(chosen).toHaveCount(3);
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByRole('status').filter({ hasText: '3 lines copied.' })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe('line number 2990\nline number 2991\nline number 2992');
  expect(writes).toBe(1);
});

test('"Download" gives the whole log, also by the Space key', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const button = page.getByRole('button', { name: 'Download' });
  for (const press of [() => button.click(), () => button.press('Space')]) {
    const [download] = await Promise.all([page.waitForEvent('download'), press()]);
    expect(await readFile(await download.path(), 'utf8')).toContain('login prompt');
  }
});

test('a link to a line far down leads there, and one behind the end to the last line', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  const address = `/jobs/${job.id}?tab=logs&task=${job.id}-1`;
  const target = page.locator('.log-line.is-target');
  await open(page, `${address}#L190000`);
  await expect(line(page, 190_000)).toBeInViewport();
  await expect(target).toHaveAttribute('data-line', '190000');
  await page.goto(`${address}#L1900000`);
  await expect(line(page, 200_000)).toBeInViewport();
  await expect(target).toHaveAttribute('data-line', '200000');
  await page.reload();
  await expect(target).toHaveAttribute('data-line', '200000');
  await expect(line(page, 200_000)).toBeInViewport();
});

test('a link leads to its line among two million', { tag: '@firefox' }, async ({ page, api }) => {
  const TOTAL = 2_000_000;
  await openLogOf(page, api, TOTAL);
  const address = page.url();
  for (const [linked, shown] of [[1_900_000, 1_900_000], [9_900_000, TOTAL], [1, 1], [TOTAL - 2, TOTAL - 2]]) {
    await page.goto(`${address}#L${linked}`);
    await expect(line(page, shown)).toBeInViewport();
    await expect(page.locator('.log-line.is-target')).toHaveAttribute('data-line', `${shown}`);
    await expect(log(page)).toContainText(`line number ${shown}`);
    await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();
  }
  // Its end stands at the bottom, not in the middle.
  const [end, window] = [await line(page, TOTAL).boundingBox(), await log(page).boundingBox()];
  expect(Math.abs((end?.y ?? 0) + (end?.height ?? 0) - (window?.y ?? 0) - (window?.height ?? 0))).toBeLessThanOrEqual(2);
});

test('a look at another tab loses neither the place in a log nor what was looked for', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood', 'smoke/boot');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1#L99000`);
  await expect(line(page, 99_000)).toBeInViewport();
  const find = page.getByRole('textbox', { name: 'Find in log' });
  await find.fill('99999');
  await expect(line(page, 99_999)).toBeInViewport();
  await log(page).evaluate((log) => (log.scrollTop -= 4_000));
  await expect(line(page, 99_999)).not.toBeInViewport();
  await expect(line(page, 99_790)).toBeInViewport();
  const place = () => inSight(page);
  const before = await place();
  await tab(page, 'Scenarios').click();
  await expect(page.getByRole('row', { name: 'smoke/boot' })).toBeVisible();
  await tab(page, 'Logs').click();
  await expect.poll(place).toEqual(before);
  await expect(find).toHaveValue('99999');
  await expect(page.getByRole('switch', { name: 'Follow' })).not.toBeChecked();

  // Another log of the job is another place.
  const tasks = page.getByRole('list', { name: 'Tasks' });
  await tasks.getByRole('link', { name: 'smoke/boot' }).click();
  await expect(find).toHaveValue('');
  await tasks.getByRole('link', { name: 'load/flood' }).click();
  await expect.poll(place).toEqual(before);
  await find.press('Enter');
  await expect(line(page, 99_999)).toBeInViewport();
});

for (const width of [390, 320]) {
  test.describe(`on a phone of ${width} px`, () => {
    test.use({ viewport: { width, height: 740 }, hasTouch: true, isMobile: true });

    test('the tools of a log take two rows, each large enough for a finger', async ({ page, api }) => {
      const job = await api.run('main', 'firmware/checksum');
      await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
      const [find, follow] = [page.getByRole('textbox', { name: 'Find in log' }), page.getByRole('switch', { name: 'Follow' })];
      const buttons = ['Previous match', 'Next match', 'First error', 'Copy', 'Download'];
      const named = buttons.map((name) => page.getByRole('button', { name, exact: true }));
      const tops = new Set<number>();
      for (const tool of [find, follow, page.getByRole('switch', { name: 'Wrap' }), ...named]) {
        const box = await tool.boundingBox();
        expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(44);
        tops.add(Math.round(box?.y ?? 0));
      }
      expect([...tops]).toHaveLength(2);
      await expectNothingWider(page);
      await find.fill('no such words');
      await expect(page.getByRole('status').filter({ hasText: 'No match' })).toBeVisible();
      await page.getByRole('button', { name: 'First error' }).tap();
      await expect(page.locator('.log-line.is-target')).toContainText(/error|fail/i);
    });
  });
}

test.describe('in a narrow window', () => {
  test.use({ viewport: { width: 700, height: 700 } });

  test('the log that is open is in sight in the list', async ({ page, api }) => {
    const scenarios = ['smoke/boot', 'smoke/network', 'smoke/storage', 'smoke/wifi', 'firmware/checksum', 'firmware/report'];
    const job = await api.run('main', ...scenarios);
    const chosen = page.getByRole('list', { name: 'Tasks' }).locator('[aria-current]');
    for (const [at, scenario] of [...scenarios.entries()].reverse()) {
      await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-${at + 1}`);
      await expect(chosen).toContainText(scenario);
      await expect(chosen).toBeInViewport({ ratio: 0.99 });
    }
    expect(await page.evaluate(() => window.scrollY)).toBe(0);
  });
});

test('what is found in folded lines is shown, also where a long one has yet to come', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const text = (number: number) => (number === 2 ? `${'long '.repeat(600)}NEEDLE` : `line number ${number}`);
  await answerWithLog(page, 1_203, text);
  await page.route(
    (url) => url.pathname.endsWith('/log/search'),
    (route) => route.fulfill({ json: { matches: [{ line: 2, text: text(2) }], total: 1, next_from: null } }),
  );
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, 1_203)).toBeInViewport();
  await page.getByRole('switch', { name: 'Wrap' }).check();
  await page.getByRole('textbox', { name: 'Find in log' }).fill('NEEDLE');
  await expect(page.getByText('1 of 1', { exact: true })).toBeVisible();
  await expect(line(page, 2)).toBeInViewport();
  await expect(log(page)).toContainText('NEEDLE');
  // When the line has its height.
  await expect.poll(() => line(page, 2).locator('..').evaluate((line) => line.clientHeight)).toBeGreaterThan(100);
  await expect(line(page, 2)).toBeInViewport();
});

test('what is looked for in a log that grows is found in what comes', async ({ page, api }) => {
  const job = await api.submit('main', 'load/soak');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  await expect(logLines(page).first()).toBeVisible({ timeout: 45_000 });
  const search = page.getByRole('textbox', { name: 'Find in log' });
  await search.fill('temperature');
  const told = page.locator('.log-found');
  await expect(told).toHaveText(/^\d+ of \d+$/);
  const count = async () => Number((await told.textContent())?.split(' of ')[1]);
  const before = await count();
  // One match at a press, and what has come is asked for behind the last one.
  const steps = { timeout: 90_000, intervals: [250] };
  await expect
    .poll(async () => {
      await search.press('Enter');
      return count();
    }, steps)
    .toBeGreaterThan(before);
  await api.abort(job);
});

test('a copy that is cut says so', async ({ page, api, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const job = await api.run('main', 'smoke/boot');
  await answerWithLog(page, 30_000, (number) => `line number ${number}`);
  await open(page, `/jobs/${job.id}?tab=scenarios`);
  await page.getByRole('link', { name: 'Log of smoke/boot' }).click();
  await expect(line(page, 30_000)).toBeInViewport();
  await page.goto(`${page.url()}#L1-L20000`);
  await expect(line(page, 1)).toBeInViewport();
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'The first 10,000 of 20,000 lines copied.' })).toBeVisible();
});

test('a match is marked where it stands in its line, and scrolled to', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  await page.setViewportSize({ width: 320, height: 800 });
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
  const marked = () =>
    page.evaluate(() => [...(CSS.highlights.get('match') ?? [])].map((range) => String(range as Range)).join());
  await page.getByLabel('Find in log').fill(`FOR ${job.id}-1`);
  await expect.poll(marked).toBe(`for ${job.id}-1`);
  await expect.poll(() => page.getByRole('region', { name: 'Log' }).evaluate((log) => log.scrollLeft)).toBeGreaterThan(0);
  await page.getByLabel('Find in log').fill('');
  await expect.poll(marked).toBe('');
});

test('a log that is followed stays at its end and fills the window under a banner, and in a window of another size', async ({
  page,
  api,
}) => {
  await page.setViewportSize({ width: 1200, height: 800 });
  await openLogOf(page, api, 500);
  const fills = () =>
    log(page).evaluate((log) => {
      const below = window.innerHeight - log.getBoundingClientRect().bottom;
      return below >= 0 && below < 60 && document.documentElement.scrollHeight <= window.innerHeight;
    });
  const isAsBefore = async () => {
    await expect.poll(fills).toBe(true);
    await expect.poll(() => fromEnd(page)).toBeLessThanOrEqual(1);
    await expect(line(page, 500)).toBeInViewport({ ratio: 0.99 });
    await expect(page.getByRole('switch', { name: 'Follow' })).toBeChecked();
  };
  await isAsBefore();
  const lookAgain = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  const isApi = (url: URL) => url.pathname.startsWith('/api/');
  const banner = page.getByRole('alert').filter({ hasText: "Can't reach the server" });
  await page.route(isApi, (route) => route.abort());
  await lookAgain();
  await expect(banner).toBeVisible();
  await isAsBefore();
  await page.unroute(isApi);
  await lookAgain();
  await expect(banner).toBeHidden();
  await isAsBefore();
  for (const height of [620, 900]) {
    await page.setViewportSize({ width: 1200, height });
    await isAsBefore();
  }

  // Whoever reads further up is left where they are.
  await log(page).evaluate((log) => log.scrollTo(0, 2000));
  await expect(line(page, 101)).toBeInViewport();
  await page.route(isApi, (route) => route.abort());
  await lookAgain();
  await expect(banner).toBeVisible();
  await expect.poll(fills).toBe(true);
  expect(await log(page).evaluate((log) => log.scrollTop)).toBe(2000);
});
