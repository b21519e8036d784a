// End-to-end tests: one `testarena demo` for all of them (fixtures/demo.ts), driven in Chromium.

import { defineConfig, devices } from '@playwright/test';

// Debian's browser. PLAYWRIGHT_CHROMIUM names another one; empty means Playwright's own.
const executablePath = process.env.PLAYWRIGHT_CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  testDir: 'tests',
  globalSetup: './fixtures/demo',
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  workers: 2,
  // A scenario runs for real, on a machine that may be busy.
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    ...devices['Desktop Chrome'],
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: executablePath || undefined,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'chromium', testIgnore: 'no_javascript.spec.ts' },
    { name: 'no javascript', testMatch: 'no_javascript.spec.ts', use: { javaScriptEnabled: false } },
  ],
});
