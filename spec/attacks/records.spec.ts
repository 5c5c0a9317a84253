import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { handleOf } from '../../lib/request/handle.js';
import { CIBA_GRANT } from '../support/configuration.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { type Answer, Connection } from './fuzz/connection.js';
import { basic } from './fuzz/shot.js';
import { Target } from './fuzz/target.js';

const PREFIX = 'records';
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let redis: TestRedis;
let client: Redis;
let target: Target;
let connection: Connection;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
  target = await Target.start('./fuzz/target-process.ts', {
    REDIS_URL: redis.url,
    PREFIX,
    // A record that cannot be read is a fault, which goes to the app: what Express says of it is brief in production only.
    NODE_ENV: 'production',
  });
  connection = new Connection(target.port);
});
afterAll(async () => {
  connection.close();
  await target.stop();
  await redis.stop();
});

const send = (method: string, path: string, headers: Record<string, string>, body = ''): Promise<Answer> => {
  const all = { host: 'op.example', ...headers, 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return connection.send(Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`));
};
const FORM = { authorization: basic('till'), 'content-type': 'application/x-www-form-urlencoded' };
const poll = (id: string, path = '/token'): Promise<Answer> =>
  send('POST', path, FORM, `grant_type=${encodeURIComponent(CIBA_GRANT)}&auth_req_id=${id}`);
const ask = async (): Promise<string> => {
  const answer = await send(
    'POST',
    '/backchannel',
    FORM,
    'scope=openid&login_hint=person-7&binding_message=Pay',
  );
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body).auth_req_id;
};

const garbage = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1e999',
    'nan',
    'inf',
    'null',
    '{}',
    '[]',
    '{"model":null}',
    '{"model":{"kind":7}}',
    '{',
  ),
  fc.constantFrom(
    'approved',
    'pending',
    'claimed',
    'redeemed',
    'denied',
    'delivered',
    'cancelled',
    '9'.repeat(400),
  ),
  fc.constantFrom(
    '{"grantId":"x"}',
    '{"grantId":{"__proto__":{"x":1}}}',
    '{"__proto__":{"x":1},"model":{"__proto__":{"x":1}}}',
  ),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.json({ maxDepth: 2 }),
);
/** What is done to a hash: a field of those that are there gets another value, several of them do, one is gone, or it is no hash any more. */
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('set' as const), at: fc.nat(40), value: garbage }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('drop' as const), at: fc.nat(40), value: fc.constant('') }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('add' as const), at: fc.nat(40), value: garbage }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('type' as const), at: fc.nat(2), value: garbage }) },
);

/** Fields that a request may have later in its life. */
const LATER = ['decision', 'claim', 'lease', 'next', 'poll', 'slowed', 'told', 'prompt', 'status'];

async function mutate(
  key: string,
  { does, at, value }: { does: string; at: number; value: string },
): Promise<void> {
  if (does === 'type') {
    await client.del(key);
    if (at === 0) await client.set(key, value);
    else if (at === 1) await client.rpush(key, value);
    else await client.hset(key, value, value);
    return;
  }
  if ((await client.type(key)) !== 'hash') return;
  const fields = (await client.hkeys(key)).sort();
  const field = fields[at % fields.length] ?? 'status';
  if (does === 'set') await client.hset(key, field, value);
  else if (does === 'drop') await client.hdel(key, field);
  else await client.hset(key, LATER[at % LATER.length] ?? 'status', value);
}

const answerOf = ({ body }: Answer): Record<string, unknown> =>
  body.startsWith('{') ? JSON.parse(body) : {};

test.each(['pending', 'denied'] as const)(
  'a record that was %s and has been changed brings no tokens, and harms nobody',
  async (state) => {
    let errors = 0;
    const { failed, errorInstance } = await fc.check(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const id = await ask();
        const handle = handleOf(id);
        const person = { 'x-person': 'person-7', 'content-type': 'application/json' };
        if (state === 'denied') await send('POST', `/ciba/requests/${handle}/deny`, person, '{}');
        for (const one of changes) await mutate(`${PREFIX}:{${handle}}`, one);
        const answers = [
          await poll(id),
          await send('GET', `/ciba/requests/${handle}`, person),
          await send('GET', '/ciba/requests', person),
          await poll(id, '/backchannel/cancel'),
          await send('POST', `/ciba/requests/${handle}/deny`, person, '{}'),
          await poll(id),
        ];
        for (const answer of answers) {
          expect(answer.status).not.toBe(0);
          expect(answerOf(answer)).not.toHaveProperty('access_token');
          expect(answer.body).not.toMatch(/node_modules|\bat .+:\d+:\d+/);
          if (answer.status >= 500) errors += 1;
        }
        expect(target.end).toBe(undefined);
        await client.del(`${PREFIX}:{${handle}}`);
        // Who has nothing to do with it is served as ever.
        const other = await ask();
        expect(answerOf(await poll(other))['error']).toBe('authorization_pending');
        await poll(other, '/backchannel/cancel');
      }),
      { numRuns: rounds(40, 2000), seed: SEED, endOnFailure: true },
    );
    if (failed) throw new Error(`with FUZZ_SEED=${SEED}: ${(errorInstance as Error).message}`);
    // The changes were seen: some of them made records that cannot be read.
    expect(errors).toBeGreaterThan(0);
    expect((await target.order()).polluted).toEqual([]);
  },
  3_600_000,
);

test('the control: the same steps bring tokens where the person has approved', async () => {
  const id = await ask();
  const person = { 'x-person': 'person-7', 'content-type': 'application/json' };
  await send('POST', `/ciba/requests/${handleOf(id)}/approve`, person, '{}');
  expect(answerOf(await poll(id))).toHaveProperty('access_token');
});
