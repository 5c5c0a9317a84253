import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { page, pages, proseOf, root } from './markdown.js';

/** What a heading can be linked to by. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (path: string): string[] =>
  [...proseOf(page(path)).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(String(heading)));

/** The links of a page that lead to something here. */
const linksOf = (text: string): string[] =>
  [
    ...proseOf(text)
      .replace(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ]
    .map(([, target]) => String(target))
    .filter((target) => !/^[a-z]+:/.test(target));

/** What a link of a page misses: the file or the heading. */
function missing(from: string, target: string): string | undefined {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : posix.normalize(posix.join(posix.dirname(from), file));
  if (!existsSync(join(root, path))) return `${target}: no such file`;
  if (anchor !== undefined && !anchorsOf(path).includes(anchor)) return `${target}: no such heading`;
  return undefined;
}

const linked = [...pages].map(([path, text]) => ({ path, links: linksOf(text) }));

test.each(linked)('each link of $path leads somewhere', ({ path, links }) => {
  expect(links.flatMap((target) => missing(path, target) ?? [])).toEqual([]);
});

test('control: links are found, and one that leads nowhere is told', () => {
  expect(linked.flatMap(({ links }) => links).length).toBeGreaterThan(40);
  expect(linksOf('[a](docs/none.md) `[b](c)` [d](https://op.example)')).toEqual(['docs/none.md']);
  expect(missing('README.md', 'docs/none.md')).toBe('docs/none.md: no such file');
  expect(missing('README.md', '#none')).toBe('#none: no such heading');
});

describe('what ships', () => {
  const shipped = [...pages.keys()].filter((path) => /^(docs\/|[A-Z]+\.md$)/.test(path));

  test('leads to pages that ship as well', () => {
    const targets = shipped.flatMap((path) =>
      linksOf(page(path))
        .map((target) => posix.normalize(posix.join(posix.dirname(path), target.split('#')[0] || path)))
        .filter((target) => target.endsWith('.md')),
    );
    expect(targets.filter((target) => !/^(docs\/)+[\w-]+\.md$|^[A-Z]+\.md$/.test(target))).toEqual([]);
  });
});
