// One's own account: the password, first one's own and then another one, and tokens for scripts.

import { type Page, request } from '@playwright/test';
import { expectNoViolations, expectNothingWider } from '../fixtures/axe';
import { expect, hold, isLive, open, password, test } from '../fixtures/test';

const FIRST = 'first password';

/** A user with a password that an administrator has set. */
async function newUser(baseURL: string | undefined, name: string): Promise<void> {
  const admin = { username: 'admin', password: password('admin'), send: 'always' as const };
  const client = await request.newContext({ baseURL, httpCredentials: admin });
  const answer = await client.post('/api/users', { data: { username: name, password: FIRST } });
  expect(answer.status(), await answer.text()).toBe(201);
  await client.dispose();
}

async function signIn(page: Page, path: string, name: string, secret: string): Promise<void> {
  await page.goto(path);
  await page.getByRole('textbox', { name: 'Username' }).fill(name);
  await page.getByLabel('Password').fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function changePassword(page: Page, current: string, next: string, again = next): Promise<void> {
  await page.getByLabel('Current password').fill(current);
  await page.getByLabel('New password', { exact: true }).fill(next);
  await page.getByLabel('New password again').fill(again);
  await page.getByRole('button', { name: 'Change password' }).click();
}

test.describe('signed out', () => {
  test.use({ user: null });

  test('a first password is changed before anything else, and then one is where one wanted to go', async ({ page, baseURL }) => {
    await newUser(baseURL, 'grace');
    await signIn(page, '/jobs/new', 'grace', FIRST);
    await expect(page).toHaveURL('/account?next=/jobs/new');
    await isLive(page);
    await expect(page.getByText('Your password was set by an administrator')).toBeVisible();
    await expect(page.getByRole('heading', { name: 'API tokens' })).toHaveCount(0);
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await expect(page).toHaveURL('/account?next=/');
    await page.goto('/jobs/new');
    await isLive(page);
    await changePassword(page, FIRST, FIRST);
    await expect(page.getByText('must differ')).toBeVisible();
    await changePassword(page, FIRST, 'correct horse', 'correct house');
    await expect(page.getByText('not the same as above')).toBeVisible();
    await changePassword(page, FIRST, 'correct horse');
    await expect(page).toHaveURL('/jobs/new');
    await expect(page.getByRole('heading', { name: 'New job' })).toBeVisible();
  });

  test('another password ends the other sessions, and a wrong one is told beside its field', async ({ page, baseURL, browser }) => {
    await newUser(baseURL, 'alan');
    await signIn(page, '/account', 'alan', FIRST);
    await isLive(page);
    await changePassword(page, FIRST, 'correct horse');
    await expect(page).toHaveURL('/');
    const elsewhere = await browser.newPage({ baseURL });
    await signIn(elsewhere, '/', 'alan', 'correct horse');
    await expect(elsewhere.getByRole('heading', { name: 'Jobs' })).toBeVisible();

    await open(page, '/account');
    await changePassword(page, 'wrong horse', 'battery staple');
    const current = page.getByLabel('Current password');
    await expect(current).toBeFocused();
    await expect(current).toHaveAccessibleDescription('the current password is wrong');
    await changePassword(page, 'correct horse', 'battery staple');
    await expect(page.getByRole('status').filter({ hasText: 'Password changed' })).toBeVisible();
    await expect(current).toHaveValue('');
    await elsewhere.goto('/');
    await expect(elsewhere).toHaveURL(/\/login/);
    await elsewhere.close();
  });

  test('the way on leads to no other site', async ({ page, baseURL }) => {
    await newUser(baseURL, 'edsger');
    await signIn(page, '/account?next=//example.org/', 'edsger', FIRST);
    await isLive(page);
    await changePassword(page, FIRST, 'correct horse');
    await expect(page).toHaveURL('/');
  });
});

test.describe('with the clipboard', () => {
  test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

  test('a token is made, its secret shown once and copied, and the token revoked', async ({ page, baseURL }) => {
    await open(page, '/account');
    await page.getByRole('textbox', { name: 'Name' }).fill('laptop');
    await page.getByRole('combobox', { name: 'May' }).selectOption('Read');
    await page.getByRole('combobox', { name: 'Ends' }).selectOption('In 7 days');
    await page.getByRole('button', { name: 'Create token' }).click();
    const row = page.getByRole('table', { name: 'Tokens' }).getByRole('row', { name: 'laptop' });
    await expect(row).toContainText('Read');
    await expect(page.getByText('it is not shown again')).toBeVisible();
    await page.getByRole('button', { name: 'Copy' }).click();
    await expect(page.getByRole('status').filter({ hasText: 'Copied.' })).toBeVisible();
    const secret = await page.evaluate(() => navigator.clipboard.readText());
    expect(secret).toMatch(/^ta_/);

    const script = await request.newContext({ baseURL, extraHTTPHeaders: { Authorization: `Bearer ${secret}` } });
    expect((await script.get('/api/me')).status()).toBe(200);
    await page.reload();
    await isLive(page);
    await expect(page.getByText(secret)).toHaveCount(0);
    await row.getByRole('button', { name: 'Revoke laptop' }).click();
    const dialog = page.getByRole('dialog', { name: 'Revoke token "laptop"?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await row.getByRole('button', { name: 'Revoke laptop' }).click();
    await dialog.getByRole('button', { name: 'Revoke token' }).click();
    await expect(row).toHaveCount(0);
    await expect.poll(async () => (await script.get('/api/me')).status()).toBe(401);
    await script.dispose();
  });
});

test('the menu leads to the account', async ({ page }) => {
  await open(page, '/');
  await page.locator('summary').filter({ hasText: 'demo' }).click();
  await page.getByRole('link', { name: 'Account and tokens' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Account' })).toBeVisible();
  await expect(page).toHaveURL('/account');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in the account', async ({ page }) => {
      await open(page, '/account');
      await page.getByRole('textbox', { name: 'Name' }).fill(`axe ${colorScheme}`);
      await page.getByRole('button', { name: 'Create token' }).click();
      await expect(page.getByText('it is not shown again')).toBeVisible();
      await expectNoViolations(page);
      await page.getByRole('button', { name: `Revoke axe ${colorScheme}` }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectNoViolations(page);
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('the account is no wider than the screen', async ({ page }) => {
    await open(page, '/account');
    await expectNothingWider(page);
  });
});

test('who leaves while a token is made goes on in a page that works', async ({ page }) => {
  await open(page, '/account');
  const answer = await hold(page, '/api/tokens');
  await page.getByRole('textbox', { name: 'Name' }).fill('left alone');
  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === '/api/tokens');
  await page.getByRole('button', { name: 'Create token' }).click();
  await asked;
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Jobs', exact: true })).toBeVisible();
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/api/tokens');
  answer();
  await (await answered).finished();
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('nobody');
  await expect(page).toHaveURL('/?search=nobody');
  await expect(page.getByText('Something went wrong in this page')).toBeHidden();
});

test('of two tokens revoked one after the other neither stays, and each is told at once', async ({ page, baseURL }) => {
  const headers = { Origin: baseURL ?? '' };
  for (const name of ['leaked one', 'leaked two']) {
    expect((await page.request.post('/api/tokens', { headers, data: { name } })).status()).toBe(201);
  }
  await open(page, '/account');
  let held = 0;
  const answer = await new Promise<() => void>((ready) => {
    let go: () => void = () => {};
    const wait = new Promise<void>((resolve) => (go = resolve));
    void page.route(/\/api\/tokens\/\d+$/, async (route) => {
      held++;
      await wait;
      await route.continue();
    }).then(() => ready(go));
  });
  for (const name of ['leaked one', 'leaked two']) {
    await page.getByRole('button', { name: `Revoke ${name}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke token' }).click();
    await expect(page.getByRole('status').filter({ hasText: `Revoking "${name}"…` })).toBeVisible();
  }
  await expect.poll(() => held).toBe(2);
  answer();
  for (const name of ['leaked one', 'leaked two']) await expect(page.getByRole('row', { name })).toHaveCount(0);
  await expect(page.getByText(/^Revoking/)).toHaveCount(0);
});
