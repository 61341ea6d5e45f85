/** npm's `prepare`: sets the commit hooks up in a developer's clone. Does nothing in CI, without git, or without Husky. */
import { existsSync } from 'node:fs';

if (!process.env.CI && existsSync('.git')) {
  const husky = await import('husky').catch(() => undefined);
  const problem = husky?.default();
  if (problem) console.warn(`commit hooks were not installed: ${problem}`);
}
