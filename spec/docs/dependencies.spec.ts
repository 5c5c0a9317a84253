import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { page, root } from './markdown.js';

type Names = Readonly<Record<string, unknown>>;

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Names;
  readonly devDependencies: Names;
  readonly peerDependencies: Names;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
};

/** What a package is to this one, as the table says it. */
function kindOf(name: string): string {
  const { dependencies, devDependencies, peerDependencies, peerDependenciesMeta } = manifest;
  const peer = peerDependenciesMeta[name]?.optional ? 'optional peer' : 'peer';
  return [
    ...(name in dependencies ? ['dependency'] : []),
    ...(name in peerDependencies ? [peer] : []),
    ...(name in devDependencies ? ['dev'] : []),
  ].join(', ');
}

const [, section = ''] = /^## What it stands on\n([\s\S]*?)^## /m.exec(page('docs/architecture.md')) ?? [];
const rows = [...section.matchAll(/^\| `([^`]+)` +\| ([^|]+?) +\| ([^|]+?) +\| ([^|]+?) +\|$/gm)].map(
  ([, name, kind, what, why]) => ({ name: String(name), kind, what, why }),
);

test('the table has every package that package.json names, once, and no other', () => {
  const { dependencies, devDependencies, peerDependencies } = manifest;
  const named = new Set(Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }));
  expect(rows.map(({ name }) => name).sort()).toEqual([...named].sort());
});

test.each(rows)('$name is what the table says: $kind', ({ name, kind, what }) => {
  expect(kind).toBe(kindOf(name));
  expect(what?.length).toBeGreaterThan(4);
});

test('what is installed with the package has a reason', () => {
  const ours = rows.filter(({ kind }) => kind?.includes('dependency') || kind?.includes('peer'));
  expect(ours.length).toBeGreaterThan(0);
  for (const { name, why } of ours) expect({ name, why }).toEqual({ name, why: expect.stringMatching(/\w/) });
});
