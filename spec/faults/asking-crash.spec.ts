import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startApart, startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { FaultNode, patiently } from './node.js';

/**
 * A process is killed at each step of a backchannel authentication request: what it has begun may stay for its lifetime, but nobody is
 * kept from asking again, a person is asked for what was acknowledged and for the orphan at most, and nothing stays for ever.
 */

/**
 * What is awaited from the request to its acknowledgement, and by the prompt beside it, on one server and on one of a cluster, which takes it in
 * steps. The first spec holds this list to what really happens.
 */
const AFTER = ['prompt', 'ring', 'rpush', 'advance', 'schedule'];
const STEPS = {
  'one server': ['ask', ...AFTER],
  'a server of a cluster': ['reserve', 'admit', 'create', 'zscore', ...AFTER],
};
type Kind = keyof typeof STEPS;
const points = (kind: Kind): string[] => [
  ...STEPS[kind].flatMap((step) => [`> ${step}`, `< ${step}`]),
  '> answer',
];

const ROUNDS = rounds(1, 10);

/** Usually where something is done already, which a crash leaves behind; in the long form everywhere. */
const KILLED_AT: Readonly<Record<Kind, readonly string[]>> =
  rounds(0, 1) === 1
    ? { 'one server': points('one server'), 'a server of a cluster': points('a server of a cluster') }
    : { 'one server': ['< ask', '< ring', '> answer'], 'a server of a cluster': ['< admit', '< create'] };

/** What one process has taken, another one prompts for after this time, in milliseconds. */
const TAKEN_FOR = 13_000;

/** How many requests of one client for one person may be pending. */
const CAP = 5;

let redis: TestRedis;
let survivor: FaultNode;

const start = (): Promise<FaultNode> => FaultNode.start(redis.url, { env: { LIMITS: 'default' } });

/** How often the device has rung, by handle. */
async function rung(): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const handle of await redis.client().lrange('rung', 0, -1)) {
    counts.set(handle, (counts.get(handle) ?? 0) + 1);
  }
  return counts;
}

/** Keys that would stay for ever, but for what the spec itself keeps. */
async function everlasting(): Promise<string[]> {
  const keys = (await redis.client().keys('*')).filter((key) => key !== 'rung');
  const lives = await Promise.all(keys.map((key) => redis.client().pttl(key)));
  return keys.filter((_key, at) => lives[at] === -1);
}

describe.each(Object.keys(STEPS) as Kind[])('%s', (kind) => {
  beforeAll(async () => {
    redis = await (kind === 'one server' ? startRedis() : startApart());
    survivor = await start();
  });
  afterAll(async () => {
    await survivor.kill();
    await redis.stop();
  });

  test('the points are those that a request really passes', async () => {
    const node = await start();
    await node.crashAt('nowhere');
    await node.asked({ login_hint: 'the-first' });
    await until('the device has rung', () => node.points.includes('< advance'));
    await node.kill();
    // A server of a cluster is asked once, and says that it is one.
    const refused = kind === 'one server' ? [] : ['> ask'];
    expect([...new Set(node.points)].sort()).toEqual([...refused, ...points(kind)].sort());
  });

  test.each(KILLED_AT[kind])(
    `[F3] ${ROUNDS} × killed at %s: the client asks again and is given tokens, and nothing is left for ever`,
    async (point) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await redis.client().flushall();
        const victim = await start();
        await victim.crashAt(point);
        const died = victim.dead();
        const cut = await victim.ask({ requested_expiry: '60' }).catch(() => undefined);
        expect(await died).toBe('SIGKILL');
        await victim.kill();
        // What goes on beside the answer may be cut when that has left: then it was acknowledged, and is no orphan.
        const acknowledged = cut?.body['auth_req_id'];

        const authReqId = await survivor.asked({ requested_expiry: '60' });
        // What the dead process took to prompt is another one's after a while.
        await survivor.moveClock(TAKEN_FOR);
        const handles = (await redis.client().keys('ciba:{*}')).length;
        expect(handles).toBeLessThanOrEqual(2);
        await until(
          'the person was asked for all that is stored',
          async () => (await rung()).size === handles,
        );
        for (const times of (await rung()).values()) expect(times).toBeLessThanOrEqual(2);

        for (const id of [authReqId, acknowledged]) {
          if (id === undefined) continue;
          // What a server's own adapter does with a grant is no matter of a cluster's here.
          const [action, status] =
            kind === 'one server' ? (['allow', 200] as const) : (['deny', 400] as const);
          expect(await patiently(() => survivor.decide(id, action))).toMatchObject({ status: 200 });
          expect(await patiently(() => survivor.poll(id))).toMatchObject({ status });
        }

        // The orphan counts against the cap as long as it lives, and then no more.
        const answers = await Promise.all(
          Array.from({ length: CAP + 2 }, () => patiently(() => survivor.ask())),
        );
        const accepted = answers.filter(({ status }) => status === 200).length;
        expect(accepted).toBeGreaterThanOrEqual(CAP - 1);
        expect(accepted).toBeLessThanOrEqual(CAP);
        expect(await everlasting()).toEqual([]);
        await survivor.moveClock(0);
      }
    },
    600_000,
  );

  test('[F3] a place that nobody came back for is free once the request would have ended', async () => {
    await redis.client().flushall();
    for (let orphan = 0; orphan < CAP; orphan += 1) {
      const victim = await start();
      await victim.crashAt(kind === 'one server' ? '< ask' : '< admit');
      await victim.ask({ requested_expiry: '60' }).catch(() => undefined);
      expect(await victim.dead()).toBe('SIGKILL');
      await victim.kill();
    }
    expect(await patiently(() => survivor.ask())).toMatchObject({
      status: 403,
      body: { error: 'access_denied' },
    });
    // Nobody was asked, and nobody has not answered: a place without a request does count as one that was not, for `limits.cooldown`.
    await survivor.moveClock(60_000 + 600_000);
    expect(await patiently(() => survivor.ask())).toMatchObject({ status: 200 });
    await survivor.moveClock(0);
    expect((await rung()).size).toBeLessThanOrEqual(1);
  });
});
