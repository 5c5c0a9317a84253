import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';

/** With `SCREENSHOTS=1` the picture of the documentation is made anew, and all others are kept for a look. */
const KEEP = process.env['SCREENSHOTS'] === '1';
const DOCS = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/** As much of two pages beside each other as has something on it, in pixels. */
const PAIR_HEIGHT = 560;

/** The pictures of one run. */
export class Pictures {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async begin(): Promise<Pictures> {
    return new Pictures(await mkdtemp(join(tmpdir(), 'ciba-pictures-')));
  }

  /** Takes a page from top to bottom; gives the size of the file. */
  async take(page: Page, name: string): Promise<number> {
    const path = join(this.#folder, `${name}.png`);
    await page.screenshot({ path, fullPage: true, animations: 'disabled' });
    return (await stat(path)).size;
  }

  /** Puts what two pages show beside each other, for the documentation; gives the size of the file. */
  async pair(browser: Browser, name: string, left: Page, right: Page): Promise<number> {
    const shots = await Promise.all(
      [left, right].map((page) =>
        page.screenshot({
          animations: 'disabled',
          clip: { x: 0, y: 0, width: page.viewportSize()?.width ?? 0, height: PAIR_HEIGHT },
        }),
      ),
    );
    const images = shots.map((shot) => `<img src="data:image/png;base64,${shot.toString('base64')}">`);
    const page = await browser.newPage({
      viewport: { width: 1254, height: PAIR_HEIGHT + 64 },
      deviceScaleFactor: 2,
    });
    await page.setContent(`<style>
      body { display: flex; gap: 24px; margin: 0; padding: 28px; background: #c9d1df; align-items: flex-start }
      img { height: ${PAIR_HEIGHT}px; border: 4px solid #1b2230; border-radius: 18px }
      img:last-child { border-width: 8px; border-radius: 36px; margin-top: -4px }
    </style>${images.join('')}`);
    const picture = await page.locator('body').screenshot();
    await page.close();
    await writeFile(join(KEEP ? DOCS : this.#folder, `${name}.png`), picture);
    return picture.length;
  }

  async end(): Promise<void> {
    if (KEEP) console.log(`The pictures are in ${this.#folder}`);
    else await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Whether something on the page is wider than its screen. */
export function isCutOff(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}
