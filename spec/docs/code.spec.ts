import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { type Block, blocksOf, pages, root } from './markdown.js';

const run = promisify(execFile);
const GIVEN = ['given.d.ts', 'express-session.d.ts'].map((file) => join(root, 'spec/docs/given', file));
const STRICT = [
  ...['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'],
  ...['--noPropertyAccessFromIndexSignature', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023'],
  ...['--lib', 'es2023', '--types', 'node'],
];

let folder: string;

// Below the package, so that it is found by its own name: what is imported is the build.
beforeEach(async () => {
  await mkdir(join(root, 'coverage'), { recursive: true });
  folder = await mkdtemp(join(root, 'coverage/blocks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Found extends Block {
  readonly path: string;
}

/** The blocks of TypeScript of every page. */
const found: Found[] = [...pages].flatMap(([path, text]) =>
  blocksOf(text)
    .filter(({ language }) => language === 'ts')
    .map((block) => ({ ...block, path })),
);

/** A module of a block; one that is a part of a configuration is put into one. */
const moduleOf = ({ code }: Block): string =>
  `${/^\w+: \{/.test(code) ? `ciba.configure({ ${code.trimEnd()} });\n` : code}export {};\n`;

/** Compiles blocks as modules beside what the pages take as given, and gives the errors by page and line. */
async function compile(blocks: readonly Found[]): Promise<string[]> {
  const files = blocks.map((_, index) => join(folder, `block-${index}.ts`));
  await Promise.all(blocks.map((block, index) => writeFile(String(files[index]), moduleOf(block))));
  const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), [...STRICT, ...GIVEN, ...files], {
    cwd: root,
  }).catch((error: { stdout: string }) => error);
  return stdout
    .split('\n')
    .filter((line) => / error TS\d+: /.test(line))
    .map((line) => {
      const [, index, row, rest] = /block-(\d+)\.ts\((\d+),\d+\): (.*)/.exec(line) ?? [];
      const block = blocks[Number(index)];
      return block ? `${block.path}:${block.line + Number(row) - 1} ${rest}` : line;
    });
}

describe('blocks of TypeScript', () => {
  test('all of them compile', async () => {
    expect(found.length).toBeGreaterThan(30);
    expect(await compile(found)).toEqual([]);
  });

  test('control: one that is wrong is told by its page and line', async () => {
    const wrong = {
      path: 'README.md',
      language: 'ts',
      line: 10,
      code: 'createCiba({\n  intervall: 5,\n});\n',
    };
    expect(await compile([wrong])).toEqual([
      expect.stringMatching(/^README\.md:11 error TS2561: .*intervall/),
    ]);
  });
});

/** What a server has that the README's program is put into. */
const SERVER = `
import { createServer } from 'node:http';
const listener = createServer();
await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
const issuer = \`http://127.0.0.1:\${listener.address().port}\`;
const users = { byEmail: async (email) => (email === 'alice@op.example' ? { id: 'alice' } : undefined) };
const clients = [{ client_id: 'till', client_secret: 'till-secret-0123456789abcdef0123456789abcdef', redirect_uris: [],
  response_types: [], grant_types: ['urn:openid:params:grant-type:ciba'], backchannel_token_delivery_mode: 'poll' }];
const findAccount = async (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) });
const YourAdapter = undefined; // oidc-provider's own, in memory
`;

/** A client asks, the person decides, the client gets its tokens. */
const FLOW = `
listener.on('request', app);
const post = async (path, form) => (await fetch(issuer + path, { method: 'POST', body: new URLSearchParams(form), headers: {
  authorization: 'Basic ' + Buffer.from('till:' + clients[0].client_secret).toString('base64') } })).json();
const { auth_req_id } = await post('/backchannel', { scope: 'openid', login_hint: 'alice@op.example' });
const poll = () => post('/token', { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id });
const before = await poll();
await ciba.requests.approve(ciba.requests.handleOf(auth_req_id), { accountId: 'alice' });
const after = await poll();
console.log(JSON.stringify([before.error, typeof after.access_token]));
process.exit(0);
`;

describe('the README', () => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  test('has a program for a server, and it runs', async () => {
    const program = found.find(({ path, code }) => path === 'README.md' && code.includes('new Provider('));
    const code = String(program?.code).replace('new Redis()', 'new Redis(process.env.REDIS_URL)');
    expect(code).toContain('process.env.REDIS_URL');
    await writeFile(join(folder, 'program.mjs'), `${SERVER}${code}${FLOW}`);
    const { stdout } = await run(process.execPath, ['--no-warnings', join(folder, 'program.mjs')], {
      env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: redis.url },
    });
    expect(stdout).toContain('["authorization_pending","string"]');
    expect(await redis.client().keys('ciba:*')).not.toEqual([]);
  });

  test('names no script of npm that is not there', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const named = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:-]+)|npm (start|test)\b/g)].map(([, script, short]) => script ?? short),
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !Object.hasOwn(scripts, String(name)))).toEqual([]);
  });
});
