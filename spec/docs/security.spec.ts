import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { page, root } from './markdown.js';

const security = page('SECURITY.md');
const [, promised = ''] = /^## What is promised\n([\s\S]*?)^## /m.exec(security) ?? [];

/** The promises, each with the tests that are said to hold it. */
const promises = promised
  .split(/^(?=\d+\. |- )/m)
  .slice(1)
  .map((text) => ({
    promise: String(/\*\*(.+?)\*\*/.exec(text)?.[1]),
    tests: [...text.matchAll(/`(spec\/[\w./-]+)`: “(.+?)”$/gm)].map(([, file, title]) => ({
      file: String(file),
      title: String(title),
    })),
  }));

test('every promise of the design is there, and names its tests', () => {
  expect([...promised.matchAll(/^(\d+)\. /gm)].map(([, number]) => number)).toEqual(
    Array.from({ length: 10 }, (_, index) => String(index + 1)),
  );
  for (const { promise, tests } of promises) {
    expect({ promise, tests: tests.length }).toEqual({ promise, tests: expect.any(Number) });
    expect(tests.length).toBeGreaterThan(0);
  }
  // None is written so that it is not found.
  expect(promises.flatMap(({ tests }) => tests)).toHaveLength(promised.match(/^ +- `spec/gm)?.length ?? 0);
});

test.each(promises.flatMap(({ tests }) => tests))('$file has the test “$title”', ({ file, title }) => {
  expect(existsSync(join(root, file))).toBe(true);
  expect(titlesIn(readFileSync(join(root, file), 'utf8')).some((found) => found.endsWith(title))).toBe(true);
});

test('control: a title that no test has is not found', () => {
  expect(titlesIn("test('one', () => {});\n// test: two\n")).toEqual(['one']);
});

/** The names of tests: the first text of a call of `it` or `test`, or of what `each` gives back. */
function titlesIn(source: string): string[] {
  const called = /(?:\b(?:it|test)|\]|\))\(\s*(?:'((?:[^'\\]|\\.)+)'|`((?:[^`\\]|\\.)+)`),/g;
  return [...source.matchAll(called)].map(([, quoted, template]) => String(quoted ?? template));
}

test('nobody is sent to an address that is not there', () => {
  expect(security).not.toMatch(/[\w.]+@[\w.]+\.\w+|https?:/);
});
