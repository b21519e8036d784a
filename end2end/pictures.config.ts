// Takes the README's pictures: `npm run pictures`.

import { defineConfig } from '@playwright/test';
import base from './playwright.config';

// Sharp where a README is shown, and still small.
const use = { deviceScaleFactor: 1.5, viewport: { width: 1200, height: 700 } };

export default defineConfig({ ...base, testDir: 'pictures', projects: [{ name: 'pictures', use }] });
