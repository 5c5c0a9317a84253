import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { packInto } from '../../tools/pack.mjs';

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

/** The whole of a flow over HTTP, as a program of a project that has only what the package asks for. */
const FLOW = `
import express from 'express';
import Provider from 'oidc-provider';
import { createCiba } from 'oidc-provider-ciba';

const ciba = createCiba({ resolveLoginHint: (hint) => hint });
const client = { client_id: 'till', client_secret: 'till-secret-0123456789abcdef0123456789abcdef', redirect_uris: [],
  response_types: [], grant_types: ['urn:openid:params:grant-type:ciba'], backchannel_token_delivery_mode: 'poll' };
const findAccount = async (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) });
const listener = express().listen(0, '127.0.0.1');
listener.once('listening', async () => {
  const at = \`http://127.0.0.1:\${listener.address().port}\`;
  const provider = new Provider(at + '/oidc', ciba.configure({ clients: [client], findAccount, features: { ciba: { enabled: true } } }));
  const app = express();
  app.use('/oidc', ciba.router(provider));
  app.use('/oidc', provider.callback());
  listener.removeAllListeners('request');
  listener.on('request', app);
  const post = async (path, form) => (await fetch(at + path, { method: 'POST', body: new URLSearchParams(form), headers: {
    authorization: 'Basic ' + Buffer.from(client.client_id + ':' + client.client_secret).toString('base64') } })).json();
  const { auth_req_id } = await post('/oidc/backchannel', { scope: 'openid', login_hint: 'alice' });
  const poll = () => post('/oidc/token', { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id });
  const before = await poll();
  await ciba.requests.approve(ciba.requests.handleOf(auth_req_id), { accountId: 'alice' });
  const after = await poll();
  console.log(JSON.stringify([before.error, typeof after.access_token, typeof after.id_token]));
  listener.close();
  listener.closeAllConnections();
  await ciba.close();
});
`;

/** Starts with these delivery modes, on Redis or in memory, and says how that went. */
const START = `
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { createCiba } from 'oidc-provider-ciba';

const [store, ...deliveryModes] = process.argv.slice(2);
const ciba = createCiba(store === 'redis' ? { redis: new Redis({ lazyConnect: true }) } : {});
try {
  const provider = new Provider('https://op.example', ciba.configure({ features: { ciba: { enabled: true, deliveryModes } } }));
  ciba.router(provider);
  console.log('started');
} catch ({ name, code, message }) {
  console.log(JSON.stringify({ name, code, message }));
}
await ciba.close();
`;

const NEEDS_BULLMQ = JSON.stringify({
  name: 'CibaError',
  code: 'invalid_option',
  message:
    'features.ciba.deliveryModes has ping or push, which need the package bullmq where requests live in Redis: install it',
});

const { peerDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  peerDependencies: Record<string, string>;
};

/** The first version of a peer's range. */
const oldest = (name: string): string => `${name}@${/[\d.]+/.exec(String(peerDependencies[name]))?.[0]}`;

const PROJECTS = [
  {
    with: 'the newest peers',
    peers: ['express@5', 'oidc-provider@9', 'ioredis@6'],
    types: ['@types/express@5', '@types/oidc-provider@9'],
  },
  {
    with: 'the oldest peers',
    peers: [oldest('express'), oldest('oidc-provider'), oldest('ioredis')],
    types: ['@types/express@4', oldest('@types/oidc-provider')],
  },
];

describe.each(PROJECTS)('the package that ships, in an empty project with $with', ({ peers, types }) => {
  let project: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'ciba-package-'));
    const tarball = await packInto(project);
    await writeFile(
      join(project, 'package.json'),
      '{ "name": "consumer", "private": true, "type": "module" }',
    );
    const install = ['install', '--no-audit', '--no-fund', '--prefer-offline'];
    await run('npm', [...install, tarball, ...peers, ...types, '@types/node@20'], { cwd: project });
  }, 300_000);

  afterAll(() => rm(project, { recursive: true, force: true }));

  test('holds the build and its documents, and no source or spec', async () => {
    const installed = join(project, 'node_modules/oidc-provider-ciba');
    const documents = ['CHANGELOG.md', 'README.md', 'SECURITY.md', 'docs'];
    expect((await readdir(installed)).sort()).toEqual([...documents, 'dist', 'package.json'].sort());
    const pages = await readdir(join(installed, 'docs'));
    expect(pages).toContain('options.md');
    expect(pages.filter((file) => !file.endsWith('.md'))).toEqual([]);
    const built = (await readdir(join(installed, 'dist'), { recursive: true })).filter((file) =>
      /\./.test(file),
    );
    expect(built).toEqual(expect.arrayContaining(['index.js', 'index.d.ts']));
    expect(built.filter((file) => !/\.(js|d\.ts)$/.test(file) || /\.spec\./.test(file))).toEqual([]);
  });

  test('every public path can be imported', async () => {
    const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: object };
    const paths = Object.keys(exports).map((path) => path.replace(/^\./, 'oidc-provider-ciba'));
    const imports = paths.map((path) =>
      path.endsWith('.json') ? `import '${path}' with { type: 'json' };` : `import '${path}';`,
    );
    await writeFile(join(project, 'paths.js'), [...imports, `console.log('imported');`].join('\n'));
    const { stdout } = await run(process.execPath, ['--no-warnings', 'paths.js'], { cwd: project });
    expect(stdout).toContain('imported');
  });

  test('a flow runs under a mount path', async () => {
    await writeFile(join(project, 'flow.js'), FLOW);
    const { stdout } = await run(process.execPath, ['--no-warnings', 'flow.js'], { cwd: project });
    expect(stdout).toContain('["authorization_pending","string","string"]');
  });

  test.each([
    { modes: ['poll', 'ping'], store: 'redis', what: 'does not start', says: NEEDS_BULLMQ },
    { modes: ['push'], store: 'redis', what: 'does not start', says: NEEDS_BULLMQ },
    { modes: ['poll'], store: 'redis', what: 'starts', says: 'started' },
    { modes: ['poll', 'ping', 'push'], store: 'memory', what: 'starts', says: 'started' },
  ])(
    'without bullmq a server with $modes and its requests in $store $what',
    async ({ modes, store, says }) => {
      expect(await readdir(join(project, 'node_modules'))).not.toContain('bullmq');
      await writeFile(join(project, 'start.js'), START);
      const { stdout } = await run(process.execPath, ['--no-warnings', 'start.js', store, ...modes], {
        cwd: project,
      });
      expect(stdout.trim()).toBe(says);
    },
  );

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
