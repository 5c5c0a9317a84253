import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { ClientMetadata } from 'oidc-provider';
import { RedisStore } from '../../lib/store/redis.js';
import { codeClient, pollClient } from '../support/configuration.js';
import { type Receiver, startReceiver, status } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { ask, asked, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface Row {
  /** As the document writes it, without what stands for the same as in the row before. */
  readonly key: string;
  readonly type: string;
  readonly ends: string;
}

/** The rows of the table under `## Keys in Redis`. */
function documentedRows(): Row[] {
  const [, section = ''] = /## Keys in Redis\n([\s\S]*?)\n## /.exec(read('docs/operations.md')) ?? [];
  let before = '';
  return [...section.matchAll(/^\| (?!key |-)(.+?) +\| (.+?) +\| (.+?) +\| (.+?) +\|$/gm)].flatMap(
    ([, keys = '', type = '', , ends = '']) => {
      const short = keys.startsWith('…');
      const [key = ''] = [...keys.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      if (!short) before = key;
      return { key: short ? before + key : key, type, ends };
    },
  );
}

const TYPES: Readonly<Record<string, string>> = { hash: 'hash', 'sorted set': 'zset' };

/** What a key of the document looks like: a digest and a handle have 22 characters. */
function formOf(key: string): RegExp {
  const form = key
    .replace(/[{}.]/g, '\\$&')
    .replace(/<[^>]+>/g, '[\\w-]{22}')
    .replace(/…$/, '.+');
  return new RegExp(`^${form}$`);
}

const rows = documentedRows();
const rowsOf = (key: string): string[] =>
  rows.filter((row) => formOf(row.key).test(key)).map((row) => row.key);
const isBullmqs = (key: string): boolean => key.startsWith('{ciba}:');

const [MINUTE, DAY] = [60_000, 86_400_000];
const LIFE = 300_000;
const RETENTION = 10 * MINUTE;

/** How long a key lives at most, as the document says in words. */
const LONGEST: Readonly<Record<string, number>> = {
  'ciba:{<handle>}': LIFE + RETENTION,
  'ciba:prompts': 3 * DAY,
  'ciba:account:{<digest of the account>}': LIFE + 10 * MINUTE,
  'ciba:account:{<digest of the account>}:refused:<digest of the client>': 180 * DAY,
  'ciba:account:{<digest of the account>}:guesses': 15 * MINUTE,
  'ciba:account:{<digest of the account>}:guesses:<digest of the client>': 15 * MINUTE,
  'ciba:client:{<digest of the client>}': LIFE,
  'ciba:once:login_hint_token:{<digest>}': 100_000,
  'ciba:once:signed_request:{<digest>}': 100_000,
  'ciba:once:dpop_proof:{<digest>}': 100_000,
  'ciba:once:challenge:{<digest>}': 100_000,
  'ciba:{<handle>}:answer': 30_000,
  'ciba:{<handle>}:callback': LIFE + RETENTION,
  'ciba:deliveries': 3 * DAY,
  'ciba:deliveries:failed': 3 * DAY,
};

let redis: TestRedis;
let client: Redis;
let receiver: Receiver;
let server: PluginServer;

beforeAll(async () => {
  [redis, receiver] = [await startRedis(), await startReceiver()];
  client = redis.client();
  const told = (id: string, mode: string): ClientMetadata =>
    pollClient(id, {
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: receiver.url,
    });
  server = pluginServer({
    redis: client,
    config: { clients: [pollClient('till'), codeClient, told('pinged', 'ping'), told('pushed', 'push')] },
    hooks: { deliveryModes: ['poll', 'ping', 'push'] },
    ciba: {
      prefix: 'ciba',
      replayGrace: 30,
      channels: [{ name: 'inbox', send: async () => {} }],
      delivery: { allowLoopback: true },
      limits: { pendingPerAccount: 1_000, pendingPerAccountAndClient: 1_000, refusals: 100 },
    },
  });
});
afterAll(async () => {
  await server.close();
  await receiver.close();
  await redis.stop();
});

const handleOf = (id: string): string => server.ciba.requests.handleOf(id);
const tell = (by: string): Promise<string> =>
  asked(server, { client_notification_token: randomBytes(24).toString('base64url') }, { client: by });
const reaches = (id: string, state: string): Promise<void> =>
  until(`it is ${state}`, async () => (await server.ciba.deliveries.get(handleOf(id)))?.state === state);

/** What is used up is told by its kind, which is a text in the code. */
const KINDS: readonly string[] = readdirSync(new URL('lib', root), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('store'))
  .flatMap((path) =>
    [...read(`lib/${path}`).matchAll(/(?:\.useOnce\(\s*|const KIND = )'(\w+)'/g)].map(
      ([, kind = '']) => kind,
    ),
  );

/** Makes a key of every kind, and leaves each where it is. */
async function everyKind(): Promise<void> {
  const redeemed = await asked(server);
  await server.approve(redeemed);
  expect((await poll(server, redeemed)).status).toBe(200);
  await server.deny(await asked(server));
  await server.ciba.requests.report(handleOf(await asked(server, { login_hint: 'bob' })), {
    accountId: 'bob',
  });
  await ask(server, { user_code: '0000' }, { client: 'coder' });
  receiver.answer(status(401));
  const failed = await tell('pushed');
  await server.approve(failed);
  await reaches(failed, 'failed');
  receiver.answer(status(503, { 'retry-after': '60' }));
  const waiting = await tell('pushed');
  await server.approve(waiting);
  await until('its body is kept', async () => {
    return (await server.ciba.deliveries.get(handleOf(waiting)))?.attempts === 1;
  });
  await asked(server);
  const store = new RedisStore(
    client,
    'ciba',
    () => 0,
    () => {},
  );
  for (const kind of KINDS) await store.useOnce(kind, randomUUID(), 100_000, randomUUID());
  await store.close();
}

test('every key is in one row of the document, every row is there, and types and ends are as it says', async () => {
  await everyKind();
  const found = new Map<string, number>(rows.map(({ key }) => [key, 0]));
  for (const key of await client.keys('*')) {
    const matching = rowsOf(key);
    expect([key, matching]).toEqual([key, [expect.any(String)]]);
    const [name = ''] = matching;
    found.set(name, (found.get(name) ?? 0) + 1);
    if (isBullmqs(key)) continue;
    const { type = '' } = rows.find((row) => row.key === name) ?? {};
    const [its, life] = [await client.type(key), await client.pttl(key)];
    // It has ended meanwhile.
    if (its === 'none') continue;
    expect([key, its]).toEqual([key, TYPES[type]]);
    expect([key, life > 0 && life <= (LONGEST[name] ?? 0), life]).toEqual([key, true, life]);
  }
  expect([...found].filter(([, count]) => count === 0)).toEqual([]);
  expect(Object.keys(LONGEST)).toEqual(rows.map(({ key }) => key).filter((key) => !isBullmqs(key)));
});

test('the kinds of what is used up are those of the document', () => {
  const documented = rows.flatMap(({ key }) => /^ciba:once:(\w+):/.exec(key)?.[1] ?? []);
  expect([...new Set(KINDS)].sort()).toEqual(documented.sort());
});

test('CONTROL: a key that the document does not know, and one that is in two rows, are noticed', () => {
  expect(rowsOf('ciba:sessions')).toEqual([]);
  expect(rowsOf('ciba:{short}')).toEqual([]);
  expect(rowsOf('ciba:prompts')).toEqual(['ciba:prompts']);
  expect(rows.length).toBeGreaterThan(14);
});

test('only BullMQ’s bookkeeping has no end, and it does not grow with what was told', async () => {
  const endless = async (): Promise<string[]> => {
    const keys = await client.keys('*');
    const lives = await Promise.all(keys.map((key) => client.pttl(key)));
    return keys.filter((_, index) => lives[index] === -1).sort();
  };
  receiver.answer(status(204));
  const tellSome = async (count: number): Promise<void> => {
    const ids = await Promise.all(
      Array.from({ length: count }, (_, at) => tell(at % 2 ? 'pinged' : 'pushed')),
    );
    await Promise.all(ids.map((id) => server.approve(id)));
    for (const id of ids) await reaches(id, 'delivered');
    await until('no job is left', async () => (await endless()).every((key) => !/\.\d+(:lock)?$/.test(key)));
  };
  await tellSome(2);
  const before = await endless();
  expect(before.filter((key) => !isBullmqs(key))).toEqual([]);
  await tellSome(20);
  expect(await endless()).toEqual(before);
});

test('once the retention is over nothing is looked at any more, and no other key outlives it but those that say so', async () => {
  server.advance((LIFE + RETENTION) / 1_000 + 61);
  await until('nobody is looked at', async () => {
    const members = [await client.zcard('ciba:prompts'), await client.zcard('ciba:deliveries')];
    return members.every((count) => count === 0);
  });
  expect(await server.ciba.deliveries.list()).toEqual([]);
  const longer = [];
  for (const key of await client.keys('ciba:*')) {
    if ((await client.pttl(key)) > LIFE + RETENTION) longer.push(...rowsOf(key));
  }
  // A block, and the index of what was given up.
  const allowed = ['ciba:deliveries:failed', Object.keys(LONGEST)[3]];
  expect(longer.filter((row) => !allowed.includes(row))).toEqual([]);
});
