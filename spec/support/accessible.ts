import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { isCutOff, type Pictures } from '../example/pictures.js';

/** The smallest phone and a desk, in pixels. */
const WIDTHS = [360, 1280];

/**
 * Holds a page to being usable by everybody on the smallest phone and on a desk, and takes its picture on both. Where no script runs,
 * none can look for what keeps people out.
 */
export async function checkOnEveryScreen(
  page: Page,
  pictures: Pictures,
  name: string,
  script = true,
): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 844 });
    expect([name, width, await isCutOff(page)]).toEqual([name, width, false]);
    if (script) expect([name, width, await seriousProblems(page)]).toEqual([name, width, []]);
    await pictures.take(page, `${name}-${width}`);
  }
}

/** What axe finds that keeps people out. */
async function seriousProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    // No script runs in a mail, and so nothing that would look into it.
    (globalThis as unknown as { axe: typeof axe }).axe.run({ iframes: false } as axe.RunOptions),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
