// Signing in and out with nobody signed in at first.

import type { Page } from '@playwright/test';
import { chooseBranch, expect, isLive, open, password, test } from '../fixtures/test';

test.use({ user: null });

test('signing in leads to the page that was asked for, signing out ends it', { tag: '@firefox' }, async ({ page }) => {
  await page.goto('/jobs/new');
  await expect(page).toHaveURL(/\/login/);
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill(password('demo'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/jobs\/new/);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goto('/');
  await expect(page).toHaveURL(/\/login/);
});

test('a wrong password is said to be wrong', async ({ page }) => {
  await open(page, '/login');
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText(/wrong/i);
  await expect(page).toHaveURL(/\/login/);
  // Only the password has to be typed again.
  await expect(page.getByLabel('Username')).toHaveValue('demo');
  await expect(page.getByLabel('Password')).toHaveValue('');
  await expect(page.getByLabel('Password')).toBeFocused();
});

/** A session of the test's own: ending it takes none from others. */
async function signIn(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill(password('demo'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  // Firefox tells of every file that a page was still to get when it is left.
  await isLive(page);
}

test('"Back" after signing out shows nothing of what was open', { tag: '@firefox' }, async ({ page }) => {
  await signIn(page, '/account');
  // Each a document of its own, which a browser could keep.
  await open(page, '/');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/login/);
  for (let step = 0; step < 2; step++) {
    await page.goBack();
    await expect(page).toHaveURL(/\/login/);
    await expect(page.getByRole('button', { name: 'Sign out' })).toHaveCount(0);
  }
});

test('what one user has begun in a tab is nothing for the next', async ({ page }) => {
  await signIn(page, '/jobs/new');
  await isLive(page);
  const branch = page.getByRole('combobox', { name: 'Branch' });
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/login/);
  await signIn(page, '/jobs/new');
  await isLive(page);
  await expect(branch).toHaveValue('');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByText(/^0 of \d+ scenarios selected$/)).toBeVisible();
});

test('signing out in one tab is told in the other, which keeps what it shows', async ({ page, context }) => {
  await signIn(page, '/');
  const other = await context.newPage();
  await open(other, '/');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/login/);
  await expect(other.getByRole('alert').filter({ hasText: 'Your session has ended' })).toBeVisible();
  await expect(other.getByRole('heading', { name: 'Jobs' })).toBeVisible();
});

test('what went wrong describes the field that has the focus', async ({ page }) => {
  await page.goto('/login?error=invalid_credentials&username=demo');
  await expect(page.getByLabel('Password')).toBeFocused();
  await expect(page.getByLabel('Password')).toHaveAccessibleDescription(/wrong/);
  await page.goto('/login?error=oidc_denied');
  await expect(page.getByLabel('Username')).toBeFocused();
  await expect(page.getByLabel('Username')).toHaveAccessibleDescription(/not let in/);
});

test('the line of a log that a link points at is shown after signing in', async ({ page, api }) => {
  const job = await api.run('main', 'load/flood');
  await open(page, `/jobs/${job.id}?tab=logs&task=${job.id}-1#L120`);
  await expect(page).toHaveURL(/\/login/);
  await page.getByLabel('Username').fill('demo');
  await page.getByLabel('Password').fill(password('demo'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(`/jobs/${job.id}?tab=logs&task=${job.id}-1#L120`);
  await expect(page.getByRole('link', { name: 'Line 120', exact: true })).toBeInViewport();
});
