import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisStore } from '../../lib/store/redis.js';
import type { Store } from '../../lib/store/store.js';
import { ask, claim, decide, givenStoreIn, newRequest, poll } from '../store/contract/given.js';
import { memory, redis as redisHome } from '../store/homes.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';

/**
 * Decisions, polls and redemptions in the very milliseconds in which a request ends. What is accepted must have come before the end, what
 * is told that it is over after it, whichever node is asked. In memory time stands still; in Redis it cannot be stopped, so each is
 * put between two looks at how much life is left.
 */

const ROUNDS = rounds(132, 2_000);

/** By how much each comes too early or too late, in milliseconds. */
const NEAR = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5];

type Kind = 'approve' | 'deny' | 'poll' | 'claim';
const KINDS: readonly Kind[] = ['approve', 'deny', 'poll', 'claim'];

interface Look {
  readonly kind: Kind;
  readonly over: boolean;
  /** Milliseconds of life left before and after it. */
  readonly before: number;
  readonly after: number;
  readonly delta: number;
}

const remaining = async (store: Store, handle: string): Promise<number> =>
  (await store.read(handle))?.remaining ?? Number.NaN;

async function doneBy(store: Store, request: ReturnType<typeof newRequest>, kind: Kind): Promise<boolean> {
  const { handle } = request;
  if (kind === 'poll') {
    const { result } = await poll(store, handle);
    expect(['pending', 'expired']).toContain(result);
    return result === 'expired';
  }
  if (kind === 'claim') {
    const { result } = await claim(store, handle);
    expect(['won', 'expired']).toContain(result);
    return result === 'expired';
  }
  const told = await decide(store, request, kind === 'approve' ? 'approved' : 'denied');
  expect(told).toEqual(
    told.result === 'decided' ? expect.anything() : { result: 'conflict', status: 'expired' },
  );
  return told.result !== 'decided';
}

describe.each([memory, redisHome])('$name', (home) => {
  const given = givenStoreIn(home);

  async function looks(count: number): Promise<Look[]> {
    const { store, other, clock } = given();
    const all: Look[] = [];
    for (let round = 0; round < count; round += 1) {
      const kind = KINDS[round % KINDS.length] as Kind;
      const delta = NEAR[round % NEAR.length] as number;
      clock.reset();
      const request = await ask(store);
      const { handle } = request;
      if (kind === 'claim') await decide(store, request, 'approved');
      const expiresAt = (await store.read(handle))?.expiresAt ?? 0;
      const [asked, watching] = round % 2 ? [store, other] : [other, store];
      clock.moveTo(expiresAt + delta);
      // Sent together: on one connection what is sent first is done first, on two it is as near as it can be.
      const [before, over] = await Promise.all([
        remaining(asked, handle),
        doneBy(asked, request, kind),
        remaining(watching, handle),
      ]);
      const after = await remaining(watching, handle);
      all.push({ kind, over, before, after, delta });
      // From here on everybody is told the same for ever: what was accepted in time stays so, though its time is over.
      clock.moveTo(expiresAt + 60_000);
      const stands = await poll(watching, handle);
      if (kind === 'deny' && !over) expect(stands.result).toBe('denied');
      else if (kind !== 'claim' || over) expect(stands.result).toBe('expired');
    }
    return all;
  }

  test(`[F8] ${ROUNDS} × within 5 ms of the end: what is accepted came before it, and what is over came after it [UX-5, POLL-10]`, async () => {
    const all = await looks(ROUNDS);
    expect(all.filter(({ over, before }) => !over && before <= 0)).toEqual([]);
    expect(all.filter(({ over, after }) => over && after > 0)).toEqual([]);
    for (const kind of KINDS) {
      const outcomes = new Set(all.filter((look) => look.kind === kind).map(({ over }) => over));
      expect([kind, outcomes.size]).toEqual([kind, 2]);
    }
    if (home === memory) expect(all.filter(({ over, delta }) => over !== delta >= 0)).toEqual([]);
  }, 600_000);
});

describe('what comes when nothing is remembered any more', () => {
  let server: TestRedis;
  let client: Redis;
  let store: RedisStore;

  beforeAll(async () => {
    server = await startRedis();
    client = server.client();
    store = new RedisStore(
      client,
      'ciba',
      () => 0,
      () => {},
    );
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  const everlasting = async (): Promise<string[]> => {
    const keys = await client.keys('*');
    const lives = await Promise.all(keys.map((key) => client.pttl(key)));
    return keys.filter((_key, at) => lives[at] === -1);
  };

  test(`[F9] ${ROUNDS} × every step after the end and the retention: it is gone, and no key comes back`, async () => {
    const short = { lifetime: 1, retention: 1 };
    const requests = Array.from({ length: ROUNDS }, () => newRequest(short));
    for (const request of requests) await store.create(request);
    await until('all are gone', async () => (await client.keys('ciba:{*}')).length === 0);
    for (const request of requests) {
      const { handle } = request;
      const token = randomUUID();
      expect(await decide(store, request, 'approved')).toEqual({ result: 'gone' });
      expect(await decide(store, request, 'denied')).toEqual({ result: 'gone' });
      expect((await poll(store, handle)).result).toBe('gone');
      expect((await claim(store, handle, token)).result).toBe('gone');
      expect(await store.settle(handle, token)).toBe(false);
      await store.confirm(handle);
      await store.release(handle, token);
      await store.keepAnswer(handle, token, { sealed: 'x', lifetime: 1_000 });
    }
    expect(await client.keys('ciba:{*}')).toEqual([]);
    expect(await everlasting()).toEqual([]);
  });

  test('[F9] the control: a hash that is written to after its end stays for ever, and is found', async () => {
    await client.hset('ciba:{late}', 'consumed', '1');
    expect(await everlasting()).toEqual(['ciba:{late}']);
  });
});
