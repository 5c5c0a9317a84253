import { findChromium } from '../../tools/programs.mjs';

/** The browser that `tools/prepare-tests.mjs` found or installed. */
export function chromiumPath(): string {
  const path = findChromium();
  if (path === undefined) throw new Error('no Chrome or Chromium here: run node tools/prepare-tests.mjs');
  return path;
}
