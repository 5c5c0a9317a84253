import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { Store } from '../../lib/store/store.js';
import {
  allStatuses,
  ask,
  claim,
  decide,
  INTERVAL,
  LIFETIME,
  needs,
  poll,
  roads,
} from '../store/contract/given.js';
import { movingClock } from '../support/clock.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';

/** How far the clock goes back, in milliseconds: as after a failover to a host whose clock is wrong. */
const STEPS = [1, 700, 4_000, 30_000, 120_000, 3_600_000];
const ROUNDS = rounds(1, 30);

let redis: TestRedis;
const clock = movingClock();

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(() => clock.reset());
afterAll(() => redis.stop());

const homes: Readonly<Record<string, () => Store>> = {
  'in Redis': () => new RedisStore(redis.client({ lazyConnect: true }), 'ciba', clock.offset, () => {}),
  'in memory': () => new MemoryStore(clock.offset),
};

describe.each(Object.entries(homes))('F24 a clock that goes back, %s', (_name, open) => {
  let store: Store;
  beforeAll(() => {
    store = open();
  });
  afterAll(() => store.close());

  test.each(allStatuses.filter((status) => status !== 'expired' && status !== 'claimed'))(
    'F24 what is %s stays so, and nobody gets tokens by it',
    async (status) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const step of STEPS) {
          clock.reset();
          const request = await ask(store, needs(status));
          const { handle } = request;
          await roads[status]({ store, other: store, clock, tick: 0 }, request);
          clock.advance(-step);
          expect(await store.read(handle)).toMatchObject({ status });
          if (status !== 'pending') {
            expect(await decide(store, request, 'denied')).toEqual({ result: 'conflict', status });
          }
          const claimed = await claim(store, handle, 'mine');
          expect(claimed.result).toBe(status === 'approved' ? 'won' : status);
          // It ends when the clock says so: late by as much as the clock went back, and never early.
          if (status !== 'pending') continue;
          clock.advance(step + LIFETIME - 2_000);
          expect(await store.read(handle)).toMatchObject({ status: 'pending' });
          clock.advance(4_000);
          expect(await store.read(handle)).toMatchObject({ status: 'expired' });
        }
      }
    },
  );

  test('F24 a claim is nobody else’s, and ends with its lease by the clock that is', async () => {
    for (const step of STEPS) {
      clock.reset();
      const request = await ask(store);
      await decide(store, request, 'approved');
      await claim(store, request.handle, 'mine');
      clock.advance(-step);
      expect(await claim(store, request.handle, 'another')).toMatchObject({ result: 'claimed' });
      expect(await store.settle(request.handle, 'mine')).toBe(true);
      await store.confirm(request.handle);
      expect(await claim(store, request.handle, 'another')).toEqual({ result: 'redeemed' });
    }
  });

  test('F24 no clock that goes back keeps a redemption in doubt', async () => {
    // By less than it has gone on meanwhile nobody notices.
    for (const step of STEPS.filter((one) => one > 1)) {
      clock.reset();
      const request = await ask(store);
      await decide(store, request, 'approved');
      await claim(store, request.handle, 'mine');
      await store.settle(request.handle, 'mine');
      expect(await poll(store, request.handle)).toMatchObject({ result: 'claimed' });
      clock.advance(-step);
      expect(await poll(store, request.handle)).toEqual({ result: 'redeemed' });
    }
  });

  test('F24 a client that polls at its pace is not told that it is too fast by a clock that went far back', async () => {
    for (const step of STEPS.filter((one) => one > INTERVAL)) {
      clock.reset();
      const { handle } = await ask(store);
      expect(await poll(store, handle)).toMatchObject({ result: 'pending' });
      clock.advance(INTERVAL - step);
      expect(await poll(store, handle)).toMatchObject({ result: 'pending', wait: INTERVAL });
      clock.advance(INTERVAL);
      expect(await poll(store, handle)).toMatchObject({ result: 'pending', wait: INTERVAL });
      // One that is too fast is told so, as ever.
      expect(await poll(store, handle)).toMatchObject({ result: 'slow_down' });
    }
  });
});
