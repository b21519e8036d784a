// Signing in and out with nobody signed in at first.

import { expect, open, password, test } from '../fixtures/test';

test.use({ user: null });

test('signing in leads to the page that was asked for, signing out ends it', async ({ page }) => {
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
