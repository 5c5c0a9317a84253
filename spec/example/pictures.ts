import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';

/** With `SCREENSHOTS=1` the picture of the documentation is made anew, and all others are kept for a look. */
const KEEP = process.env['SCREENSHOTS'] === '1';
const DOCS = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/** How two pages beside each other are laid out, in pixels. */
const [PADDING, GAP] = [28, 24];

/** As much of the till and the phone as has something on it, in pixels. */
const PAIR_HEIGHT = 560;

/** What a page is framed like: a phone, or anything wider. */
const frameOf = (page: Page): { border: number; radius: number } =>
  widthOf(page) < 500 ? { border: 8, radius: 36 } : { border: 4, radius: 18 };

const widthOf = (page: Page): number => page.viewportSize()?.width ?? 0;

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
  async pair(
    browser: Browser,
    name: string,
    left: Page,
    right: Page,
    height: number = PAIR_HEIGHT,
  ): Promise<number> {
    const pages = [left, right];
    const shots = await Promise.all(
      pages.map((page) =>
        page.screenshot({
          animations: 'disabled',
          clip: { x: 0, y: 0, width: widthOf(page), height },
        }),
      ),
    );
    const frames = pages.map(frameOf);
    const images = shots.map((shot, index) => {
      const { border, radius } = frames[index] as (typeof frames)[number];
      const style = `border:${border}px solid #1b2230;border-radius:${radius}px`;
      return `<img style="${style}" src="data:image/png;base64,${shot.toString('base64')}">`;
    });
    const widths = pages.map((page, index) => widthOf(page) + 2 * (frames[index]?.border ?? 0));
    const page = await browser.newPage({
      viewport: {
        width: widths.reduce((sum, width) => sum + width, GAP + 2 * PADDING),
        height: height + 2 * PADDING + 16,
      },
      deviceScaleFactor: 2,
    });
    await page.setContent(`<style>
      body { display: flex; gap: ${GAP}px; margin: 0; padding: ${PADDING}px; background: #c9d1df; align-items: center }
      img { height: ${height}px }
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
