import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Response } from 'supertest';
import { requestKey } from '../../lib/store/redis-keys.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { ask, asked, type PluginServer, pluginServer, poll } from '../support/server.js';

/** How many changed records are polled. */
const MUTATIONS = rounds(400, 100_000);

let redis: TestRedis;
let keys: Redis;
let server: PluginServer;

beforeAll(async () => {
  redis = await startRedis();
  keys = redis.client();
  server = pluginServer({ redis: redis.client({ lazyConnect: true }), ciba: { limits: false } });
  await asked(server);
});
afterAll(async () => {
  await server.close();
  await redis.stop();
});

/** A generator whose seed is named where a test fails (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Fields = Map<string, Buffer>;
type Random = ReturnType<typeof randomOf>;
const pick = <T>(from: readonly T[], random: Random): T => from[random(from.length)] as T;

/** Fields that say where a request stands: whoever can write those can write an approval, so a mutation leaves their values alone. */
const STATUS = 'status';

const HOSTILE = [
  '',
  '0',
  '-1',
  'NaN',
  '1e400',
  'null',
  '[]',
  '{}',
  '"',
  '{"__proto__":{"polluted":true}}',
  '{"model":{"__proto__":{"polluted":true}}}',
  '{"model":null}',
  '{"model":{"scope":7}}',
  '{"version":99}',
  '\u0000',
  '\ud800',
  '{'.repeat(2_000),
  '9007199254740993',
].map((text) => Buffer.from(text));

/** What can become of a record on a disk, or by another version of the program. */
const MUTATE: readonly ((fields: Fields, random: Random) => void)[] = [
  function flipsAByte(fields, random) {
    const name = pick(
      [...fields.keys()].filter((field) => field !== STATUS),
      random,
    );
    const value = Buffer.from(fields.get(name) ?? '');
    if (value.length > 0)
      value.writeUInt8(value.readUInt8(random(value.length)) ^ (1 << random(8)), random(value.length));
    fields.set(name, value);
  },
  function dropsAField(fields, random) {
    fields.delete(pick([...fields.keys()], random));
  },
  function cutsAField(fields, random) {
    const name = pick(
      [...fields.keys()].filter((field) => field !== STATUS),
      random,
    );
    const value = fields.get(name) ?? Buffer.alloc(0);
    fields.set(name, value.subarray(0, random(value.length + 1)));
  },
  function putsSomethingElse(fields, random) {
    fields.set(
      pick(
        [...fields.keys()].filter((field) => field !== STATUS),
        random,
      ),
      pick(HOSTILE, random),
    );
  },
  function swapsTwoFields(fields, random) {
    const names = [...fields.keys()].filter((field) => field !== STATUS);
    const [one, other] = [pick(names, random), pick(names, random)];
    const [first, second] = [fields.get(one), fields.get(other)] as [Buffer, Buffer];
    fields.set(one, second).set(other, first);
  },
  function addsFields(fields) {
    fields.set('__proto__', Buffer.from('{"polluted":true}'));
    fields.set('version', Buffer.from('99'));
    fields.set('2', Buffer.from('{"more":1}'));
  },
  function knowsAnotherStatus(fields, random) {
    fields.set(
      STATUS,
      Buffer.from(pick(['', 'PENDING', 'done', 'gone', 'expired', '__proto__', '1'], random)),
    );
  },
];

/** What stands in a record of each kind before it is changed. */
const KINDS = ['pending', 'denied', 'approved'] as const;
type Kind = (typeof KINDS)[number];

const records = new Map<Kind, { fields: [string, Buffer][]; life: number }>();

async function recordOf(kind: Kind): Promise<{ fields: [string, Buffer][]; life: number }> {
  const known = records.get(kind);
  if (known) return known;
  const id = await asked(server, { scope: 'openid profile', binding_message: 'W4SCT' });
  if (kind === 'approved') await server.approve(id);
  if (kind === 'denied') await server.deny(id);
  const key = requestKey(server.prefix, server.ciba.requests.handleOf(id));
  const found = Object.entries(await keys.hgetallBuffer(key)) as [string, Buffer][];
  const record = { fields: found, life: await keys.pttl(key) };
  records.set(kind, record);
  return record;
}

/** Stores a record of this kind, changed, and says the `auth_req_id` that it is found by. */
async function store(kind: Kind, random: Random): Promise<string> {
  const { fields, life } = await recordOf(kind);
  const changed: Fields = new Map(fields);
  const times = 1 + random(3);
  for (let time = 0; time < times && changed.size > 1; time += 1) pick(MUTATE, random)(changed, random);
  const id = randomUUID();
  const key = requestKey(server.prefix, server.ciba.requests.handleOf(id));
  await keys
    .pipeline()
    .hset(key, ...[...changed].flat())
    .pexpire(key, life)
    .exec();
  return id;
}

/** What a client may be told of a record that somebody has spoilt. */
function expectHarmless(kind: Kind, seed: number, { status, body }: Response): void {
  const told = { kind, seed, status, error: body.error };
  if (status === 200) {
    expect(told).toEqual({ kind: 'approved', seed, status: 200, error: undefined });
    return;
  }
  expect([400, 500, 503]).toContain(status);
  expect(typeof body.error).toBe('string');
  expect(JSON.stringify(body)).not.toMatch(/at \/|\.ts:|\.js:/);
}

test(`F40 ${MUTATIONS} changed records: nobody who was not approved gets tokens, and nothing breaks`, async () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= MUTATIONS; seed += 1) {
    const random = randomOf(seed);
    const kind = pick(KINDS, random);
    const id = await store(kind, random);
    const answer = await poll(server, id);
    expectHarmless(kind, seed, answer);
    const outcome = answer.status === 200 ? 'tokens' : `${answer.status} ${answer.body.error}`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    // Whoever looks after it finds it, or is told that it cannot be read; and it does not stand in the way of others.
    if (seed % 10 === 0) {
      await server.ciba.requests.get(server.ciba.requests.handleOf(id)).catch(() => {});
      await server.approve(id).catch(() => {});
      await server.provider.BackchannelAuthenticationRequest.find(id).catch(() => {});
    }
    if (seed % 200 === 0) {
      const sound = await asked(server);
      await server.approve(sound);
      expect((await poll(server, sound)).status).toBe(200);
    }
  }
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  // The mutations were felt, and not everything was lost by them.
  expect(counts['tokens']).toBeGreaterThan(0);
  expect(counts['400 invalid_grant']).toBeGreaterThan(0);
  if (process.env['LONG'] === '1') process.stdout.write(`F40: ${JSON.stringify(counts)}\n`);
}, 3_600_000);

test('F40 a record that cannot be read is told as a fault, and told to the operator', async () => {
  const id = await asked(server);
  await server.approve(id);
  await keys.hset(requestKey(server.prefix, server.ciba.requests.handleOf(id)), '1', '{"model":');
  const before = server.store.count('AccessToken');
  const faults: unknown[] = [];
  server.provider.once('server_error', (_ctx, error) => void faults.push(error));
  const answer = await poll(server, id);
  expect(answer.status).toBe(500);
  expect(faults).toEqual([expect.any(SyntaxError)]);
  expect(server.store.count('AccessToken')).toBe(before);
  expect((await ask(server)).status).toBe(200);
});

test('F40 a record of a megabyte is a record like others', async () => {
  const id = await asked(server);
  const key = requestKey(server.prefix, server.ciba.requests.handleOf(id));
  for (const value of ['x'.repeat(1_000_000), `{"model":{"scope":"${'s'.repeat(1_000_000)}"}}`]) {
    await keys.hset(key, '1', value);
    expect((await poll(server, id)).body.error).toMatch(/^(authorization_pending|slow_down)$/);
    await server.ciba.requests.get(server.ciba.requests.handleOf(id)).catch(() => {});
  }
  expect((await ask(server)).status).toBe(200);
});
