// The wizard beyond its main path: what is kept, what is taken over from an earlier job, and what is known beforehand.

import type { Page } from '@playwright/test';
import { chooseBranch, expect, fetchWhole, hold, isLive, open, test } from '../fixtures/test';

const branch = (page: Page) => page.getByRole('combobox', { name: 'Branch' });
const environment = (page: Page) => page.getByRole('combobox', { name: 'Environment' });

test('what is chosen is kept through a reload, up to the step one was at', { tag: '@firefox' }, async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page).toHaveURL(/step=review/);
  await page.reload();
  await isLive(page);
  await expect(page.getByRole('button', { name: 'Submit job' })).toBeVisible();
  await expect(page.getByRole('list', { name: 'Selected scenarios' })).toContainText('smoke/boot');
});

test('"Edit and rerun" opens the wizard filled in', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot', 'smoke/network');
  await open(page, `/jobs/${job.id}`);
  await page.locator('summary[aria-label="More actions"]').click();
  await page.getByRole('link', { name: 'Edit and rerun' }).click();
  await expect(page.getByRole('checkbox', { name: 'smoke/boot' })).toBeChecked();
  await expect(page.getByRole('checkbox', { name: 'smoke/network' })).toBeChecked();
  await expect(page.getByRole('checkbox', { name: 'smoke/storage' })).not.toBeChecked();
});

test('scenarios that the branch no longer has are named and left out', async ({ page, api }) => {
  const job = await api.run('feature/bluetooth', 'smoke/bluetooth', 'smoke/boot');
  // As if that job had run on the other branch, before somebody removed a scenario there.
  await page.route(
    (url) => url.pathname === `/api/job/${job.id}`,
    async (route) => {
      const answer = await fetchWhole(route);
      await route.fulfill({ response: answer, json: { ...(await answer.json()), branch_name: 'main' } });
    },
  );
  await open(page, `/jobs/${job.id}`);
  await page.locator('summary[aria-label="More actions"]').click();
  await page.getByRole('link', { name: 'Edit and rerun' }).click();
  await expect(page.getByRole('list', { name: 'No longer in the branch' })).toHaveText('smoke/bluetooth');
  await expect(page.getByText(/^1 of \d+ scenarios selected$/)).toBeVisible();
});

test('beside each scenario stands how it went last and how long it takes', async ({ page, api }) => {
  await api.run('main', 'smoke/boot', 'firmware/checksum');
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  const item = (name: string) => page.locator('label').filter({ has: page.getByRole('checkbox', { name }) });
  await expect(item('smoke/boot')).toContainText(/Passed\s*\d/);
  await expect(item('firmware/checksum')).toContainText('Failed');
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('checkbox', { name: 'firmware/checksum' }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByText(/^About .*, one after the other$/)).toBeVisible();
});

/** The wizard's second step, as if `main` had these scenarios. */
async function pickOf(page: Page, scenarios: string[]): Promise<void> {
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
  await expect(page.getByRole('list', { name: 'Scenarios' })).toBeVisible();
}

test('scenarios are listed as a person counts', async ({ page }) => {
  await pickOf(page, ['net/test1', 'net/test10', 'net/test2', 'net-2/boot', 'boot']);
  const listed = page.getByRole('list', { name: 'Scenarios' }).getByRole('checkbox');
  const names = async () => listed.evaluateAll((boxes) => boxes.map((box) => box.getAttribute('aria-label')));
  expect(await names()).toEqual(['boot', 'net', 'net/test1', 'net/test2', 'net/test10', 'net-2', 'net-2/boot']);
  await page.getByRole('checkbox', { name: 'net', exact: true }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  const chosen = page.getByRole('list', { name: 'Selected scenarios' }).getByRole('listitem');
  await expect(chosen).toHaveText(['net/test1', 'net/test2', 'net/test10']);
});

test('a filter hides rows of the tree and draws none anew', async ({ page }) => {
  const scenarios = Array.from({ length: 600 }, (_, at) => `area${at % 6}/suite${Math.floor(at / 6) % 10}/test${at}`);
  await pickOf(page, scenarios);
  const tree = page.getByRole('list', { name: 'Scenarios' });
  const box = (name: string) => tree.getByRole('checkbox', { name, exact: true });
  await box('area5/suite0/test5').check();
  await tree.evaluate((element) => {
    const changes = { count: 0 };
    new MutationObserver((records) => {
      changes.count += records.filter((record) => record.addedNodes.length + record.removedNodes.length > 0).length;
    }).observe(element, { childList: true, subtree: true });
    (window as { changes?: typeof changes }).changes = changes;
  });
  const filter = page.getByRole('textbox', { name: 'Filter scenarios' });
  await filter.pressSequentially('area5/suite0/');
  await expect(box('area5/suite0/test5')).toBeChecked();
  await expect(tree.getByRole('checkbox')).toHaveCount(2 + 10);
  await expect(tree.getByText('1 of 10').first()).toBeVisible();
  // What is shown is selected, and nothing else.
  await page.getByRole('button', { name: 'Select all' }).click();
  await expect(page.getByText('10 of 600 scenarios selected')).toBeVisible();
  await filter.fill('no such');
  await expect(tree.getByRole('checkbox')).toHaveCount(0);
  await filter.fill('');
  await expect(box('area4')).toBeVisible();
  await expect(box('area5')).not.toBeChecked();
  expect(await page.evaluate(() => (window as { changes?: { count: number } }).changes?.count)).toBeLessThan(100);
});

test('a job is submitted once, however often the button is pressed', async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  let submissions = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/api/submit_job')) submissions++;
  });
  await page.getByRole('button', { name: 'Submit job' }).dblclick();
  await expect(page).toHaveURL(/\/jobs\/\d+/);
  expect(submissions).toBe(1);
});

test.describe('at 320 px', () => {
  test.use({ viewport: { width: 320, height: 640 } });

  test('nothing scrolls sideways', { tag: '@firefox' }, async ({ page }) => {
    await open(page, '/jobs/new');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  });
});

test('who leaves while the scenarios are read goes on in a page that works', async ({ page }) => {
  const answer = await hold(page, '/api/scenarios');
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === '/api/scenarios');
  await page.getByRole('button', { name: 'Next' }).click();
  await asked;
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Jobs', exact: true })).toBeVisible();
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/api/scenarios');
  answer();
  await (await answered).finished();
  await page.getByRole('searchbox', { name: 'Search jobs' }).fill('nobody');
  await expect(page).toHaveURL('/?search=nobody');
  await expect(page.getByText('Something went wrong in this page')).toBeHidden();
});

test('without suggestions the field says why, and takes a branch all the same', async ({ page }) => {
  const detail = 'bench-a has too many branches to list them; give the name of one';
  const json = { type: 'about:blank', title: 'Environment unreachable', status: 503, code: 'environment_unreachable', detail };
  await page.route(
    (url) => url.pathname === '/api/branches',
    (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', json }),
  );
  await open(page, '/jobs/new');
  const said = page.getByRole('status').filter({ hasText: `No branches can be suggested. Environment unreachable: ${detail}` });
  await expect(said).toBeVisible();
  await expect(branch(page)).toHaveAccessibleDescription(new RegExp(detail));
  await chooseBranch(page, 'main');
});

/** Opens the wizard as it is before the page is live; what is given back makes it so. */
async function openEarly(page: Page, path = '/jobs/new'): Promise<() => Promise<void>> {
  const answer = await hold(page, '.wasm');
  await page.goto(path, { waitUntil: 'commit' });
  await expect(branch(page)).toBeVisible();
  return async () => {
    answer();
    await isLive(page);
  };
}

test('what is typed before the page is live stays', { tag: '@firefox' }, async ({ page }) => {
  const comeAlive = await openEarly(page);
  await branch(page).fill('feature/bluetooth');
  await comeAlive();
  await expect(branch(page)).toHaveValue('feature/bluetooth');
  await page.getByRole('button', { name: 'Validate' }).click();
  await expect(page.getByText('feature/bluetooth is at ')).toBeVisible();
});

test('what is typed before the page is live counts more than what was chosen earlier in the tab', async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  const comeAlive = await openEarly(page);
  await branch(page).fill('feature/bluetooth');
  await comeAlive();
  await expect(branch(page)).toHaveValue('feature/bluetooth');
  await page.getByRole('button', { name: 'Validate' }).click();
  await expect(page.getByText('feature/bluetooth is at ')).toBeVisible();
});

test('an earlier branch that is typed over before the page is live stays typed over', async ({ page, api }) => {
  const job = await api.run('main', 'smoke/boot');
  const comeAlive = await openEarly(page, `/jobs/new?from=${job.id}`);
  await branch(page).fill('feature/bluetooth');
  await comeAlive();
  await expect(branch(page)).toHaveValue('feature/bluetooth');
});

test('an environment that is chosen before the page is live stays chosen', async ({ page }) => {
  // As if there were two: in what the server drew, and in what it hands over.
  const both = (one: string, between = '') => one + between + one.replaceAll('demo', 'bench-b').replace(' selected', '');
  await page.route(
    (url) => url.pathname === '/jobs/new',
    async (route) => {
      const answer = await route.fetch();
      const body = (await answer.text())
        .replace(/<option value="demo".*?<\/option>/s, (option) => both(option))
        .replace(/(?<=environments\W+)\{.*?\}/s, (one) => both(one, ','));
      await route.fulfill({ response: answer, body });
    },
  );
  const comeAlive = await openEarly(page);
  await environment(page).selectOption('bench-b');
  await comeAlive();
  await expect(environment(page)).toHaveValue('bench-b');
});

test('the branch that was typed stays when another environment is chosen', async ({ page }) => {
  await page.route(
    (url) => url.pathname === '/api/environments',
    async (route) => {
      const answer = await fetchWhole(route);
      const [demo] = (await answer.json()).environments;
      await route.fulfill({ response: answer, json: { environments: [demo, { ...demo, name: 'bench-b' }] } });
    },
  );
  await open(page, '/');
  await page.getByRole('link', { name: 'New job' }).click();
  await chooseBranch(page, 'main');
  await page.getByRole('combobox', { name: 'Environment' }).selectOption('bench-b');
  await expect(page.getByRole('combobox', { name: 'Branch' })).toHaveValue('main');
  // It was found in the other one.
  await expect(page.getByText('main is at ')).toHaveCount(0);
});

test('one can go back while the scenarios are read, and where they can not be', async ({ page }) => {
  const answer = await hold(page, '/api/scenarios');
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('status').filter({ hasText: "Reading the branch's scenarios" })).toBeVisible();
  await page.getByRole('button', { name: 'Back' }).click();
  await expect(page.getByRole('combobox', { name: 'Branch' })).toBeVisible();
  answer();
  await page.route((url) => url.pathname === '/api/scenarios', (route) => route.abort());
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('heading', { name: "The scenarios can't be read" })).toBeVisible();
  await page.getByRole('button', { name: 'Back' }).click();
  await expect(page.getByRole('combobox', { name: 'Branch' })).toBeVisible();
});

test('a late answer about one bench says nothing of another that was chosen meanwhile', async ({ page }) => {
  await page.route(
    (url) => url.pathname === '/api/environments',
    async (route) => {
      const answer = await fetchWhole(route);
      const [demo] = (await answer.json()).environments;
      await route.fulfill({ response: answer, json: { environments: [demo, { ...demo, name: 'bench-b' }] } });
    },
  );
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  await page.route(
    (url) => url.pathname === '/api/validate_branch',
    async (route) => {
      await held;
      await route.fulfill({ json: { environment: 'demo', branch_name: 'main', commit: '599b0e0000000000000000000000000000000000' } });
    },
  );
  await open(page, '/');
  await page.getByRole('link', { name: 'New job' }).click();
  await page.getByRole('combobox', { name: 'Branch' }).fill('main');
  await page.getByRole('button', { name: 'Validate' }).click();
  await page.getByRole('combobox', { name: 'Environment' }).selectOption('bench-b');
  const answered = page.waitForResponse('**/api/validate_branch');
  answer();
  await answered;
  await expect(page.getByRole('button', { name: 'Validate' })).toBeEnabled();
  await expect(page.getByText('main is at ')).toHaveCount(0);
});

test('a branch that has moved since the review is looked at again before it runs', async ({ page }) => {
  await open(page, '/jobs/new');
  await chooseBranch(page, 'main');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('checkbox', { name: 'smoke/boot' }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('button', { name: 'Submit job' })).toBeVisible();
  const commit = '599b0e0000000000000000000000000000000000';
  await page.route(
    (url) => url.pathname === '/api/validate_branch',
    (route) => route.fulfill({ json: { environment: 'demo', branch_name: 'main', commit } }),
  );
  await page.getByRole('button', { name: 'Submit job' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'to 599b0e0000. Look again' })).toBeVisible();
  await expect(page.getByText(commit)).toBeVisible();
  // What is shown now is what is there now.
  await page.getByRole('button', { name: 'Submit job' }).click();
  await expect(page).toHaveURL(/\/jobs\/\d+$/);
});
