import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const index = await readFile(join(root, 'lib/index.ts'), 'utf8');

/** What `lib/index.ts` exports, by the file it comes from. */
const exported = [...index.matchAll(/^export (?:type )?\{([^}]+)\} from '\.\/(.+)\.js';$/gm)].flatMap(
  ([, names, file]) =>
    String(names)
      .split(',')
      .map((name) => ({ name: name.trim().replace(/^type /, ''), file: `lib/${file}.ts` }))
      .filter(({ name }) => name !== ''),
);

describe('the public surface', () => {
  test('is a list of names, and nothing else', () => {
    expect(index).not.toMatch(/export \*/);
    expect(exported.length).toBeGreaterThan(10);
    expect(index.match(/^export /gm)).toHaveLength(new Set(exported.map(({ file }) => file)).size);
  });

  test.each(exported)('$name has a docstring where it is declared ($file)', async ({ name, file }) => {
    const source = await readFile(join(root, file), 'utf8');
    const declaration = new RegExp(
      `\\*/\\nexport (?:abstract )?(?:async )?(?:interface|class|type|function|const) ${name}\\b`,
    );
    expect(source).toMatch(declaration);
  });

  test('each member of the options says its default', async () => {
    const source = await readFile(join(root, 'lib/options.ts'), 'utf8');
    const body = /export interface CibaOptions \{([\s\S]*?)\n\}\n/.exec(source)?.[1] ?? '';
    const docs = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s+readonly (\w+)\?/g)];
    expect(docs.length).toBe(body.match(/^ {2}readonly \w+\?/gm)?.length);
    for (const [, doc, name] of docs)
      expect({ name, doc }).toMatchObject({ doc: expect.stringMatching(/Default/) });
  });

  test('nothing is imported from inside oidc-provider', async () => {
    const files = (await readdir(join(root, 'lib'), { recursive: true })).filter((file) =>
      file.endsWith('.ts'),
    );
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      expect(await readFile(join(root, 'lib', file), 'utf8')).not.toMatch(/from 'oidc-provider\//);
    }
  });
});

describe('the package that ships', () => {
  let project: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'ciba-package-'));
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: root });
    const packed = JSON.parse(stdout) as { filename: string }[] | Record<string, { filename: string }>;
    const [{ filename }] = Object.values(packed) as [{ filename: string }];
    await writeFile(
      join(project, 'package.json'),
      '{ "name": "consumer", "private": true, "type": "module" }',
    );
    const peers = ['express@5', 'oidc-provider@9', 'ioredis@6', '@types/express@5', '@types/oidc-provider@9'];
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${filename}`, ...peers], {
      cwd: project,
    });
  }, 300_000);

  afterAll(() => rm(project, { recursive: true, force: true }));

  test('holds the build, the README and the CHANGELOG, and no source or spec', async () => {
    const installed = join(project, 'node_modules/oidc-provider-ciba');
    expect((await readdir(installed)).sort()).toEqual(['CHANGELOG.md', 'README.md', 'dist', 'package.json']);
    const built = await readdir(join(installed, 'dist'), { recursive: true });
    expect(built).toEqual(expect.arrayContaining(['index.js', 'index.d.ts']));
    expect(
      built.filter((file) => /\.(spec|lua)\b/.test(file) || (/\.ts$/.test(file) && !/\.d\.ts$/.test(file))),
    ).toEqual([]);
  });

  test('every public path can be imported in an empty project, and makes a working ciba', async () => {
    const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: object };
    const paths = Object.keys(exports).map((path) => path.replace(/^\./, 'oidc-provider-ciba'));
    const program = paths
      .map((path) =>
        path.endsWith('.json')
          ? `await import('${path}', { with: { type: 'json' } });`
          : `await import('${path}');`,
      )
      .concat(
        `const { createCiba, CibaError } = await import('oidc-provider-ciba');`,
        `const { default: Provider } = await import('oidc-provider');`,
        `const ciba = createCiba({ resolveLoginHint: (hint) => hint });`,
        `const provider = new Provider('http://localhost:3000', ciba.configure({ features: { ciba: { enabled: true } } }));`,
        `if (typeof ciba.router(provider) !== 'function' || !(new CibaError('expired', 'x') instanceof Error)) process.exit(1);`,
        `await ciba.close();`,
        `console.log('works');`,
      );
    await writeFile(join(project, 'use.js'), program.join('\n'));
    const { stdout } = await run(process.execPath, ['--no-warnings', 'use.js'], { cwd: project });
    expect(stdout).toContain('works');
  });

  test('its types hold alone, in a strict project', async () => {
    await writeFile(
      join(project, 'use.ts'),
      `import express from 'express';
import Provider from 'oidc-provider';
import { type CibaErrorCode, createCiba, type RequestView } from 'oidc-provider-ciba';

const ciba = createCiba({ resolveLoginHint: async (hint) => (hint === 'alice' ? 'alice' : undefined) });
const provider = new Provider('https://op.example', ciba.configure({ features: { ciba: { enabled: true } } }));
express().use(ciba.router(provider)).use(provider.callback());
const stop: () => void = ciba.on('request.approved', ({ handle, acrMet }) => [handle.length, acrMet satisfies boolean]);
const pending: RequestView[] = await ciba.requests.list('alice');
await ciba.requests.approve(String(pending[0]?.handle), { accountId: 'alice' });
// @ts-expect-error an option that does not exist
createCiba({ intervall: 5 });
// @ts-expect-error an event that does not exist
ciba.on('request.aproved', () => {});
const code: CibaErrorCode = 'already_decided';
stop();
export { code };
`,
    );
    const options = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--skipLibCheck',
    ];
    await run(join(root, 'node_modules/.bin/tsc'), [...options, '--types', 'node', 'use.ts'], {
      cwd: project,
    }).catch((error: { stdout: string }) => {
      throw new Error(error.stdout);
    });
  });
});
