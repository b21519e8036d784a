// The server is killed under an open page and started again: the page waits for it, and goes on.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Demo, runDemo, signIn } from '../fixtures/demo';
import { test as base, expect, open } from '../fixtures/test';

/** A demo that one test may end. */
class OwnDemo {
  private constructor(
    private readonly dir: string,
    private demo: Demo,
    readonly state: string,
  ) {}

  static async start(): Promise<OwnDemo> {
    const dir = mkdtempSync(join(tmpdir(), 'testarena-restart-'));
    const demo = await runDemo(dir, 'restarted.log');
    const user = demo.users.find((one) => one.name === 'demo');
    if (!user) throw new Error('the demo named no user demo');
    return new OwnDemo(dir, demo, await signIn(demo.url, user, join(dir, 'demo.json')));
  }

  get url(): string {
    return this.demo.url;
  }

  kill(): Promise<void> {
    return this.demo.kill();
  }

  /** Where it was, with what it had. */
  async restart(): Promise<void> {
    this.demo = await runDemo(this.dir, 'restarted.log', new URL(this.url).host);
  }

  async stop(): Promise<void> {
    await this.demo.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const test = base.extend<{ demo: OwnDemo }>({
  demo: async ({}, use) => {
    const demo = await OwnDemo.start();
    await use(demo);
    await demo.stop();
  },
  baseURL: async ({ demo }, use) => use(demo.url),
  storageState: async ({ demo }, use) => use(demo.state),
});

test('what is open stays while the server is away, and goes on when it is back', async ({ page, demo }) => {
  const data = { branch_name: 'main', scenarios: ['load/soak'] };
  const submitted = await page.request.post('/api/submit_job', { headers: { Origin: demo.url }, data });
  expect(submitted.status()).toBe(201);
  const { id } = await submitted.json();
  await open(page, `/jobs/${id}?tab=scenarios`);
  const row = page.getByRole('row', { name: 'load/soak' });
  await expect(row).toContainText('Running', { timeout: 45_000 });

  await demo.kill();
  const alert = page.getByRole('alert').filter({ hasText: "Can't reach the server" });
  await expect(alert).toBeVisible({ timeout: 30_000 });
  await expect(row).toBeVisible();

  await demo.restart();
  await expect(alert).toBeHidden({ timeout: 45_000 });
  await expect(page.getByRole('alert').filter({ hasText: 'Your session has ended' })).toBeHidden();
  await page.getByRole('button', { name: 'Rerun', exact: true }).click();
  await expect(page.getByRole('heading', { name: `Job #${id + 1}`, exact: true })).toBeVisible();
});
