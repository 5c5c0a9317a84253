import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { rounds as inParallel } from '../races/processes.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { FaultNode, isUnknown, patiently } from './node.js';

/**
 * Two processes whose clocks are four minutes apart. No judgement of a request's life, of its interval or of a redemption's lease goes by
 * them: only by the store's.
 */
const [BEHIND, AHEAD] = [-120_000, 120_000];
const RACES = rounds(40, 2_000);
const CONTESTS = rounds(40, 2_000);
const CLAIM_LEASE = 5_000;

let redis: TestRedis;
let behind: FaultNode;
let ahead: FaultNode;

beforeAll(async () => {
  redis = await startRedis();
  [behind, ahead] = await Promise.all([
    FaultNode.start(redis.url, { skew: BEHIND }),
    FaultNode.start(redis.url, { skew: AHEAD }),
  ]);
});
afterEach(() => moveBoth(0));
afterAll(async () => {
  await Promise.all([behind.kill(), ahead.kill()]);
  await redis.stop();
});

async function moveBoth(milliseconds: number): Promise<void> {
  await Promise.all([behind, ahead].map((node) => node.moveClock(milliseconds)));
}

test('[F23] the clocks are as far apart as it says', async () => {
  const [early, late] = await Promise.all([behind.time(), ahead.time()]);
  expect(Math.abs(late - early - (AHEAD - BEHIND))).toBeLessThan(60_000);
});

test(`[F23, F1] ${RACES} × eight polls at once on both: one is given tokens, which work on both`, async () => {
  const results = await inParallel(RACES, async (index) => {
    const [asked, decided] = index % 2 ? [behind, ahead] : [ahead, behind];
    const authReqId = await asked.asked({ login_hint: `person-${index}` });
    await patiently(() => decided.decide(authReqId, 'allow'));
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, poll) => (poll % 2 ? behind : ahead).poll(authReqId)),
    );
    const given = answers.filter(({ status }) => status === 200);
    const token = given[0]?.body['access_token'];
    const works = await Promise.all([behind, ahead].map((node) => node.works(token)));
    const others = answers.filter(({ status }) => status !== 200).map(({ body }) => String(body['error']));
    return { given: given.length, works, others, unknown: answers.some(isUnknown) };
  });
  expect(results.filter(({ given }) => given > 1)).toEqual([]);
  const conclusive = results.filter(({ unknown }) => !unknown);
  expect(conclusive.length).toBeGreaterThan(RACES * 0.9);
  const wrong = conclusive.filter(({ given, works, others }) => {
    return (
      given !== 1 ||
      works.includes(false) ||
      others.some((error) => !/^(slow_down|invalid_grant)$/.test(error))
    );
  });
  expect(wrong).toEqual([]);
}, 600_000);

test(`[F23, F5] ${CONTESTS} × an approval against a denial: one wins, and both sides and the client hear it`, async () => {
  const results = await inParallel(CONTESTS, async (index) => {
    const authReqId = await behind.asked({ login_hint: `person-${index}` });
    const [allowed, denied] = await Promise.all([
      (index % 2 ? behind : ahead).decide(authReqId, 'allow'),
      (index % 2 ? ahead : behind).decide(authReqId, 'deny'),
    ]);
    const polled = await patiently(() => (index % 4 < 2 ? behind : ahead).poll(authReqId));
    const heard =
      polled.status === 200 ? 'approved' : polled.body['error'] === 'access_denied' ? 'denied' : '';
    const accepted = [allowed, denied].filter(({ status }) => status === 200);
    const unknown = [allowed, denied].some(isUnknown);
    return {
      accepted: accepted.length,
      told: [allowed, denied].map(({ body }) => body['outcome']),
      heard,
      unknown,
    };
  });
  const conclusive = results.filter(({ unknown }) => !unknown);
  expect(conclusive.length).toBeGreaterThan(CONTESTS * 0.9);
  expect(
    conclusive.filter(({ accepted, told, heard }) => accepted !== 1 || told.some((each) => each !== heard)),
  ).toEqual([]);
}, 600_000);

test('[F23, F8] a request ends on both when its time is up, and on neither before', async () => {
  const both = [behind, ahead];
  for (const asked of both) {
    await moveBoth(0);
    const authReqId = await asked.asked({ requested_expiry: '100', login_hint: 'ends' });
    // All that a node's own clock could add or take is more than the request's life.
    for (const node of both) {
      expect((await patiently(() => node.poll(authReqId))).body['error']).toMatch(
        /^(authorization_pending|slow_down)$/,
      );
    }
    await moveBoth(60_000);
    for (const node of both) {
      expect((await patiently(() => node.poll(authReqId))).body['error']).toMatch(
        /^(authorization_pending|slow_down)$/,
      );
    }
    await moveBoth(100_000);
    for (const node of both) {
      expect(await patiently(() => node.poll(authReqId))).toMatchObject({
        status: 400,
        body: { error: 'expired_token' },
      });
      expect(await node.decide(authReqId, 'allow')).toMatchObject({
        status: 409,
        body: { outcome: 'expired' },
      });
    }
  }
});

test('[F23, T14] an approval is kept to its end on both', async () => {
  for (const [asked, polled] of [
    [behind, ahead],
    [ahead, behind],
  ] as const) {
    await moveBoth(0);
    const authReqId = await asked.asked({ requested_expiry: '100', login_hint: 'kept' });
    await patiently(() => asked.decide(authReqId, 'allow'));
    await moveBoth(60_000);
    const { status, body } = await patiently(() => polled.poll(authReqId));
    expect(status).toBe(200);
    expect(await asked.works(body['access_token'])).toBe(true);
  }
});

describe('the interval', () => {
  test('[F23, F22] is the same whichever node is polled: free at first, too early before, in time after', async () => {
    for (const [one, other] of [
      [behind, ahead],
      [ahead, behind],
    ] as const) {
      await moveBoth(0);
      const authReqId = await one.asked({ login_hint: 'polled' });
      const told: (string | undefined)[] = [];
      const at: readonly (readonly [number, FaultNode])[] = [
        [0, one],
        [0, other],
        [60_000, one],
        [60_000, other],
        [120_000, other],
      ];
      for (const [time, node] of at) {
        await moveBoth(time);
        told.push((await patiently(() => node.poll(authReqId))).body['error']);
      }
      const [pending, early] = ['authorization_pending', 'slow_down'];
      expect(told).toEqual([pending, early, pending, early, pending]);
    }
  });
});

test('[F23, F2] a redemption that died with its process is free for the other after its lease, and not before', async () => {
  const victim = await FaultNode.start(redis.url, { skew: AHEAD });
  const authReqId = await behind.asked({ login_hint: 'redeemed' });
  await behind.decide(authReqId, 'allow');
  await victim.crashAt('< poll');
  await victim.poll(authReqId).catch(() => undefined);
  expect(await victim.dead()).toBe('SIGKILL');
  expect(await behind.poll(authReqId)).toMatchObject({ body: { error: 'slow_down' } });
  await moveBoth(CLAIM_LEASE);
  expect(await behind.poll(authReqId)).toMatchObject({ status: 200 });
});
