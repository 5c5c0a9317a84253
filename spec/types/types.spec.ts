import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = join(root, 'spec/types');
const files = (await readdir(here)).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
const sources = await Promise.all(files.map((file) => readFile(join(here, file), 'utf8')));

const RESOLUTIONS = {
  nodenext: ['--module', 'nodenext'],
  bundler: ['--module', 'preserve', '--moduleResolution', 'bundler'],
} as const;

const STRICT = [
  '--ignoreConfig',
  '--noEmit',
  '--listFiles',
  '--strict',
  '--exactOptionalPropertyTypes',
  '--noUncheckedIndexedAccess',
  '--noPropertyAccessFromIndexSignature',
  ...['--skipLibCheck', 'false', '--target', 'es2023', '--lib', 'es2023', '--types', 'node'],
];

/** Compiles what is in a folder of the package, which finds the package by its own name, as its users do: by `exports`. */
async function compile(
  folder: string,
  resolution: keyof typeof RESOLUTIONS,
): Promise<{ errors: string[]; files: string[] }> {
  const paths = files.map((file) => join(folder, file));
  const args = [...STRICT, ...RESOLUTIONS[resolution], ...paths];
  const output = await new Promise<string>((resolve) => {
    const at = { cwd: root, maxBuffer: 2 ** 24 };
    execFile(join(root, 'node_modules/.bin/tsc'), args, at, (_error, stdout) => resolve(stdout));
  });
  const lines = output.split('\n').filter(Boolean);
  return {
    // What the types of other packages say of each other is theirs.
    errors: lines.filter((line) => / error TS\d+: /.test(line) && !line.startsWith('node_modules/')),
    files: lines.filter((line) => line.startsWith('/')).map((file) => file.slice(root.length)),
  };
}

describe.each(['nodenext', 'bundler'] as const)('with moduleResolution %s', (resolution) => {
  test('what users write compiles against the build, what is wrong is refused, and its own types hold', async () => {
    const { errors, files: read } = await compile(here, resolution);
    expect(errors).toEqual([]);
    expect(read).toEqual(expect.arrayContaining(['dist/index.d.ts', 'dist/channels/sms.d.ts']));
    expect(read.filter((file) => file.startsWith('lib/'))).toEqual([]);
  });
});

test('control: each line that is said to be wrong is an error', async () => {
  const wrong = sources.flatMap((source) => source.match(/@ts-expect-error/g) ?? []);
  expect(wrong.length).toBeGreaterThan(40);
  await mkdir(join(root, 'coverage'), { recursive: true });
  const folder = await mkdtemp(join(root, 'coverage/types-'));
  try {
    const bare = sources.map((source) => source.replaceAll('@ts-expect-error', ''));
    await Promise.all(files.map((file, index) => writeFile(join(folder, file), String(bare[index]))));
    const { errors } = await compile(folder, 'bundler');
    expect(new Set(errors.map((line) => line.split(',')[0])).size).toBe(wrong.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('every public name is used', async () => {
  const index = await readFile(join(root, 'lib/index.ts'), 'utf8');
  const names = [...index.matchAll(/^export (?:type )?\{([^}]+)\}/gm)].flatMap(([, listed]) =>
    String(listed)
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter(Boolean),
  );
  expect(names.length).toBeGreaterThan(40);
  const imported = sources.flatMap((source) =>
    [...source.matchAll(/^import \{([^}]+)\} from 'oidc-provider-ciba';/gm)].flatMap(([, listed]) =>
      String(listed)
        .split(',')
        .map((name) => name.trim().replace(/^type /, '')),
    ),
  );
  expect(names.filter((name) => !imported.includes(name))).toEqual([]);
});
