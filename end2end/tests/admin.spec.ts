// What administrators see to: users, environments and the log of who did what; and that nobody else does.

import { expectNoViolations, expectNothingWider } from '../fixtures/axe';
import { expect, hold, isLive, open, test } from '../fixtures/test';

const PLACES = ['/admin/users', '/admin/environments', '/admin/audit'];

test('nobody but an administrator is shown any of it', async ({ page }) => {
  for (const path of PLACES) {
    await open(page, path);
    await expect(page.getByRole('heading', { name: 'Only administrators can open this' })).toBeVisible();
    await expect(page.getByRole('table')).toHaveCount(0);
  }
  await expectNoViolations(page);
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Users' })).toHaveCount(0);
});

test.describe('as an administrator', () => {
  test.use({ user: 'admin' });
  // One after the other: what makes a second administrator and what needs the last one get into each other's way.
  test.describe.configure({ mode: 'serial' });

  test('a user is made, renamed, promoted, given a password and deleted', async ({ page }) => {
    await open(page, '/');
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Users' }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'Users' })).toBeVisible();
    const username = page.getByRole('textbox', { name: 'Username' });
    const create = page.getByRole('button', { name: 'Create user' });
    await username.fill('not a name');
    await page.getByLabel('First password').fill('correct horse');
    await create.click();
    await expect(username).toBeFocused();
    await expect(username).toHaveAccessibleDescription(/1 to 32 of/);
    await username.fill('lovelace');
    await create.click();
    const row = (name: string) => page.getByRole('table', { name: 'Users' }).getByRole('row', { name });
    await expect(row('lovelace')).toContainText('first password not changed yet');
    await expect(username).toHaveValue('');

    const choose = async (name: string, item: string) => {
      await row(name).locator('summary').click();
      await row(name).getByRole('button', { name: item }).click();
    };
    const dialog = page.getByRole('dialog');
    await choose('lovelace', 'Rename');
    await dialog.getByRole('textbox', { name: 'New username' }).fill('admin');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await expect(dialog.getByText('there is a user admin already')).toBeVisible();
    await dialog.getByRole('textbox', { name: 'New username' }).fill('countess');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await expect(page.getByRole('status').filter({ hasText: 'lovelace is now countess' })).toBeVisible();
    await expect(dialog).toHaveCount(0);

    await choose('countess', 'Make administrator');
    await dialog.getByRole('button', { name: 'Make administrator' }).click();
    await expect(row('countess')).toContainText('Administrator');
    await choose('countess', 'Set password');
    await dialog.getByLabel('New password').fill('battery staple');
    await dialog.getByRole('button', { name: 'Set password' }).click();
    await expect(page.getByRole('status').filter({ hasText: 'countess has a new password' })).toBeVisible();

    await choose('countess', 'Delete');
    await expect(dialog).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    await expect(row('countess')).toBeVisible();
    await choose('countess', 'Delete');
    await dialog.getByRole('button', { name: 'Delete user' }).click();
    await expect(row('countess')).toHaveCount(0);
  });

  test('the last administrator stays one, and the page says why', async ({ page }) => {
    await open(page, '/admin/users');
    const me = page.getByRole('row', { name: 'admin (you)' });
    await me.locator('summary').click();
    await me.getByRole('button', { name: 'Take administration' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take administration' }).click();
    await expect(page.getByRole('alert').filter({ hasText: 'this is the last administrator' })).toBeVisible();
  });

  test('an environment says how it is, and is checked on demand', async ({ page }) => {
    await open(page, '/admin/environments');
    const demo = page.getByRole('region', { name: 'demo' });
    await expect(demo.getByText('Healthy')).toBeVisible();
    await demo.getByRole('button', { name: 'Check demo now' }).click();
    for (const part of ['HTTP', 'SSH', 'Repository', 'Scenarios', 'Workspace', 'Clock']) {
      await expect(demo.getByRole('listitem').filter({ hasText: part }).first()).toContainText('works:', { timeout: 30_000 });
    }
    // Known from the first connection on.
    await expect(demo.getByText(/^SHA256:/)).toBeVisible();
    await expectNoViolations(page);
  });

  test.describe('on a phone', () => {
    test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

    test('all of a user is in sight, and what can be done within reach', async ({ page }) => {
      await open(page, '/admin/users');
      const users = page.getByRole('table', { name: 'Users' });
      const row = users.getByRole('row', { name: 'demo' });
      // Other tests make users, whose cards may stand above it.
      await row.scrollIntoViewIfNeeded();
      for (const cell of await row.getByRole('cell').all()) await expect(cell).toBeInViewport({ ratio: 0.99 });
      const scrolls = await users.evaluate((table) => {
        const around = table.parentElement ?? table;
        return around.scrollWidth > around.clientWidth;
      });
      expect(scrolls).toBe(false);
      await row.locator('summary[aria-label="Actions for demo"]').click();
      for (const item of ['Rename…', 'Delete…']) {
        const button = row.getByRole('button', { name: item });
        await button.scrollIntoViewIfNeeded();
        await expect(button).toBeInViewport({ ratio: 0.99 });
      }
      // Where it is scrolled to, half of a field may lie under the header.
      await page.evaluate(() => scrollTo(0, 0));
      await expectNoViolations(page);
      await expectNothingWider(page);
    });
  });

  test('the audit log calls users by their names', async ({ page }) => {
    await open(page, '/admin/audit?action=user.sign_in');
    const entries = page.getByRole('table', { name: 'Entries' });
    await expect(entries.getByRole('link', { name: 'user admin' }).first()).toBeVisible();
    await expect(entries.getByRole('link', { name: /^user:\d+$/ })).toHaveCount(0);
    const demo = entries.getByRole('link', { name: 'user demo' }).first();
    const object = (await demo.getAttribute('title')) ?? '';
    expect(object).toMatch(/^user:\d+$/);
    await demo.click();
    await expect(page.getByRole('textbox', { name: 'Of' })).toHaveValue(object);
  });

  test('the audit log is narrowed in the address and leads on page by page', async ({ page, api }) => {
    const job = await api.submit('main', 'smoke/boot');
    await open(page, '/admin/audit');
    await page.getByRole('combobox', { name: 'What' }).selectOption('Job submitted');
    await expect(page).toHaveURL('/admin/audit?action=job.submit');
    const entries = page.getByRole('table', { name: 'Entries' }).getByRole('row');
    await expect(entries.filter({ has: page.getByRole('link', { name: `job #${job.id}`, exact: true }) })).toContainText('Job submitted');
    await expect(entries.filter({ hasText: 'Signed in' })).toHaveCount(0);
    await page.getByRole('textbox', { name: 'Of' }).fill(`job:${job.id}`);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(`/admin/audit?action=job.submit&object=job%3A${job.id}`);
    await expect(entries).toHaveCount(2);
    await page.reload();
    await isLive(page);
    await expect(page.getByRole('textbox', { name: 'Of' })).toHaveValue(`job:${job.id}`);
    await expect(entries).toHaveCount(2);
    await page.goto('/admin/audit?actor=nobody-at-all');
    await expect(page.getByRole('heading', { name: 'Nothing found' })).toBeVisible();
  });

  test('what is typed and chosen above the audit log before the page is live is looked for', async ({ page }) => {
    const answer = await hold(page, '.wasm');
    await page.goto('/admin/audit', { waitUntil: 'commit' });
    await page.getByRole('textbox', { name: 'Who' }).fill('demo');
    await page.getByRole('combobox', { name: 'What' }).selectOption('Job submitted');
    await page.getByRole('textbox', { name: 'Of' }).fill('job:1');
    answer();
    await expect(page).toHaveURL('/admin/audit?actor=demo&action=job.submit&object=job%3A1');
    await expect(page.getByRole('combobox', { name: 'What' })).toHaveValue('job.submit');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`in ${colorScheme}`, () => {
      test.use({ colorScheme });

      for (const path of PLACES) {
        test(`axe finds nothing in ${path}`, async ({ page }) => {
          // It looks at every part of a page of the log, of which the tests make much.
          test.slow();
          await open(page, path);
          await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
          await expectNoViolations(page);
        });
      }

      test('axe finds nothing in the menu of a user and its dialog', async ({ page }) => {
        await open(page, '/admin/users');
        const demo = page.getByRole('row', { name: 'demo' });
        await demo.locator('summary').click();
        await expectNoViolations(page);
        await demo.getByRole('button', { name: 'Rename' }).click();
        await expect(page.getByRole('dialog')).toBeVisible();
        await expectNoViolations(page);
      });
    });
  }

  test.describe('on a phone', () => {
    test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

    test('nothing of it is wider than the screen', async ({ page }) => {
      for (const path of PLACES) {
        await open(page, path);
        await expectNothingWider(page);
      }
    });
  });
});

test.describe('as an administrator in a hurry', () => {
  test.use({ user: 'admin' });

  test('of two users deleted one after the other neither stays, and each is told at once', async ({ page, baseURL }) => {
    const names = ['zoe', 'yan'];
    for (const username of names) {
      const data = { username, password: 'first password' };
      const made = await page.request.post('/api/users', { headers: { Origin: baseURL ?? '' }, data });
      expect(made.status(), await made.text()).toBe(201);
    }
    await open(page, '/admin/users');
    let answer: () => void = () => {};
    const wait = new Promise<void>((resolve) => (answer = resolve));
    await page.route(/\/api\/users\/\d+$/, async (route) => {
      await wait;
      await route.continue();
    });
    const row = (name: string) => page.getByRole('table', { name: 'Users' }).getByRole('row', { name });
    for (const name of names) {
      await row(name).locator('summary').click();
      await row(name).getByRole('button', { name: 'Delete…' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete user' }).click();
      await expect(page.getByRole('status').filter({ hasText: `Deleting ${name}…` })).toBeVisible();
    }
    answer();
    for (const name of names) await expect(row(name)).toHaveCount(0);
    await expect(page.getByText(/^Deleting/)).toHaveCount(0);
  });
});
