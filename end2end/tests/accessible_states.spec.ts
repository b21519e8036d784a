// The states that a view is in besides its usual one, scanned by axe in light and in dark; and the wizard by Tab.

import { expectNoViolations } from '../fixtures/axe';
import { chooseBranch, expect, fetchWhole, open, test } from '../fixtures/test';

const isApi = (url: URL) => url.pathname.startsWith('/api/');
const FAILED = {
  status: 500,
  contentType: 'application/problem+json',
  json: { type: 'about:blank', title: 'Internal error', status: 500, code: 'internal', detail: 'Something went wrong.' },
};

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('what is not there, and what leaves nothing', async ({ page }) => {
      for (const path of ['/nothing', '/jobs/999999', '/?branch=no-such-branch']) {
        await test.step(path, async () => {
          await page.goto(path);
          await expect(page.getByRole('heading').first()).toBeVisible();
          await expectNoViolations(page);
        });
      }
    });

    test('what could not be had, and a line that is away', async ({ page }) => {
      await open(page, '/');
      await page.route(isApi, (route) => route.fulfill(FAILED));
      await page.getByRole('combobox', { name: 'Status' }).selectOption('passed');
      await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
      await expectNoViolations(page);
      await page.unroute(isApi);
      await page.getByRole('button', { name: 'Try again' }).click();
      await expect(page.getByRole('button', { name: 'Try again' })).toBeHidden();
      await page.route(isApi, (route) => route.abort());
      await expect(page.getByRole('alert').filter({ hasText: "Can't reach the server" })).toBeVisible();
      await expectNoViolations(page);
    });

    test('a session that has ended, and the list of keys', async ({ page, context }) => {
      await open(page, '/');
      await context.clearCookies();
      await expect(page.getByRole('alert').filter({ hasText: 'Your session has ended' })).toBeVisible();
      await expectNoViolations(page);
      await page.keyboard.press('?');
      await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
      await expectNoViolations(page);
    });

    test('errors in the wizard', async ({ page }) => {
      await open(page, '/jobs/new');
      await page.getByRole('button', { name: 'Validate' }).click();
      await expect(page.getByRole('alert').filter({ hasText: 'Choose a branch' })).toBeVisible();
      await expectNoViolations(page);
      await chooseBranch(page, 'main');
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByRole('button', { name: 'Next' }).click();
      await expect(page.getByRole('alert').filter({ hasText: 'Select at least one scenario.' })).toBeVisible();
      await expectNoViolations(page);
    });

    test('a job that runs, and its log with what was found', async ({ page, api }) => {
      const job = await api.submit('main', 'smoke/boot', 'load/soak');
      await open(page, `/jobs/${job.id}?tab=scenarios`);
      await expect(page.getByRole('row', { name: 'load/soak' })).toContainText('Running', { timeout: 45_000 });
      await expectNoViolations(page);
      await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1`);
      await page.getByRole('textbox', { name: 'Find in log' }).fill('o');
      await expect(page.getByRole('status').filter({ hasText: / of \d+$/ })).toBeVisible();
      await expectNoViolations(page);
      await api.abort(job);
    });

    test('a wrong password', async ({ page, context }) => {
      await context.clearCookies();
      await open(page, '/login?error=invalid_credentials&username=demo');
      await expect(page.getByRole('alert')).toContainText(/wrong/);
      await expectNoViolations(page);
    });

    test.describe('on a phone', () => {
      test.use({ viewport: { width: 390, height: 740 }, hasTouch: true });

      test('the list, a job and its log', async ({ page, api }) => {
        const job = await api.run('main', 'smoke/boot', 'firmware/checksum');
        for (const path of ['/', `/jobs/${job.id}?tab=scenarios`, `/jobs/${job.id}?tab=logs&task=${job.id}-1`]) {
          await test.step(path, async () => {
            await open(page, path);
            await expectNoViolations(page);
          });
        }
      });
    });
  });
}

test('the document of the API', async ({ page }) => {
  // It is long: on a busy machine the scan takes more than a minute.
  test.slow();
  await page.goto('/api/docs');
  await expectNoViolations(page);
});

test('Tab leads through the wizard in the order of its work', async ({ page }) => {
  await open(page, '/jobs/new');
  await page.getByRole('combobox', { name: 'Environment' }).focus();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('combobox', { name: 'Branch' })).toBeFocused();
  await page.keyboard.type('main');
  // Suggestions are the browser's own; Escape closes them.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Validate' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByText('main is at ')).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Next' })).toBeFocused();
  await page.keyboard.press('Enter');
  const boot = page.getByRole('checkbox', { name: 'smoke/boot' });
  await expect(boot).toBeVisible();
  const press = async (key: string, until: typeof boot) => {
    for (let presses = 0; presses < 60; presses++) {
      if (await until.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press(key);
    }
    await expect(until).toBeFocused();
  };
  await press('Tab', boot);
  await page.keyboard.press('Space');
  await expect(boot).toBeChecked();
  await press('Tab', page.getByRole('button', { name: 'Next' }));
  await page.keyboard.press('Enter');
  await press('Tab', page.getByRole('button', { name: 'Submit job' }));
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/jobs\/\d+/);
});

test('the review of very many scenarios can be read by keyboard', async ({ page }) => {
  const scenarios = Array.from({ length: 500 }, (_, at) => `bulk/scenario_${at}`);
  await page.route(
    (url) => url.pathname === '/api/scenarios',
    async (route) => {
      const answer = await fetchWhole(route);
      await route.fulfill({ response: answer, json: { ...(await answer.json()), scenarios } });
    },
  );
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Select all' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('heading', { name: '500 scenarios' })).toBeVisible();
  await expectNoViolations(page);
});
