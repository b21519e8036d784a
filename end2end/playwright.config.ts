// End-to-end tests: one `testarena demo` for all of them (fixtures/demo.ts), driven in Chromium, and those of the main
// flows, tagged @firefox, in Firefox as well.

import { defineConfig, devices } from '@playwright/test';

// Debian's browser. PLAYWRIGHT_CHROMIUM names another one; empty means Playwright's own.
const executablePath = process.env.PLAYWRIGHT_CHROMIUM ?? '/usr/bin/chromium';
// Likewise. Only its own Firefox speaks Playwright's own protocol; every other one is driven over WebDriver BiDi. From
// 1.65 on, Playwright begins with a command of it (emulation.setMediaFeaturesOverride) that Firefox ESR 153 has not.
const firefoxPath = process.env.PLAYWRIGHT_FIREFOX ?? '/usr/bin/firefox-esr';

export default defineConfig({
  testDir: 'tests',
  globalSetup: './fixtures/demo',
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  workers: 2,
  // Scenarios run for real, on a machine that may be busy: two of them may wait 45 s each for a slot and an end.
  timeout: 180_000,
  // The page asks every 5 s; the rest is for a machine that is busy with two of these tests.
  expect: {
    timeout: 30_000,
    // Another version of the browser smooths edges otherwise: that is no difference. Rows that are a few pixels higher are eight times as much as is let pass.
    toHaveScreenshot: { threshold: 0.25, maxDiffPixelRatio: 0.005, pathTemplate: '{testDir}/../snapshots/{arg}{ext}' },
  },
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
        // Letters of the same shape on every machine.
        '--font-render-hinting=none',
        '--disable-lcd-text',
        '--force-color-profile=srgb',
      ],
    },
  },
  projects: [
    { name: 'chromium', testIgnore: 'no_javascript.spec.ts' },
    { name: 'no javascript', testMatch: 'no_javascript.spec.ts', use: { javaScriptEnabled: false } },
    {
      name: 'firefox',
      grep: /@firefox/,
      use: {
        ...devices['Desktop Firefox'],
        channel: firefoxPath ? 'moz-firefox' : undefined,
        // Pictures in a trace cost one screenshot after another here.
        trace: { mode: 'retain-on-failure', screenshots: false },
        launchOptions: { executablePath: firefoxPath || undefined },
      },
    },
  ],
});
