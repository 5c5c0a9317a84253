import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { MemoryStore } from '../../lib/store/memory.js';
import type { Outbox } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import { movingClock, stopTime } from '../support/clock.js';
import { startRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { TellingModel } from './model/telling.js';
import { type RealTelling, type TellingTimes, tellings } from './model/telling-steps.js';

const RUNS = rounds(2_000, 5_000);
const RUNS_IN_REDIS = rounds(500, 1_500);
/** Many more than any broken outbox has needed. */
const RUNS_OF_A_CONTROL = 50_000;

/** To the millisecond, about every edge: the process's clock stands still. */
const exact: TellingTimes = {
  moves: [1, 999, 1_000, 1_001, 4_999, 5_000, 9_999, 10_000, 19_999, 20_000],
  delays: [0, 1, 1_000, 5_000, 20_000],
  lifetimes: [10_000, 25_000],
  retention: 15_000,
};

/** In steps of 5 seconds, so that the time which a run really takes is never between the model and the server. */
const coarse: TellingTimes = {
  moves: [5_000, 5_000, 10_000, 15_000, 20_000],
  delays: [0, 5_000, 10_000, 20_000],
  lifetimes: [10_000, 25_000],
  retention: 15_000,
};
const DRIFT = 4_000;

type Open = () => Promise<{ real: RealTelling; done: () => Promise<void> }>;

function property(times: TellingTimes, open: Open) {
  return fc.asyncProperty(tellings(times, 25), async (steps) => {
    const { real, done } = await open();
    try {
      await fc.asyncModelRun(() => ({ model: new TellingModel(), real }), steps);
    } finally {
      await done();
    }
  });
}

/** Methods that are broken, over an outbox that is not. */
type Break = (sound: Outbox) => Partial<Outbox>;

function onMemory(broken: Break = () => ({})) {
  return property(exact, async () => {
    const clock = movingClock();
    const store = new MemoryStore(clock.offset);
    const methods = broken(store.outbox);
    const outbox = new Proxy<Outbox>(store.outbox, {
      get: (sound, name: keyof Outbox) => methods[name] ?? sound[name].bind(sound),
    });
    return { real: { nodes: [{ store, outbox }], clock, drift: 0 }, done: () => store.close() };
  });
}

describe('in memory', () => {
  let letTimeGo: () => void;
  beforeAll(() => {
    letTimeGo = stopTime();
  });
  afterAll(() => letTimeGo());

  test('PUSH-7: an outbox does what the model does, whatever is done to it in whatever order', async () => {
    await fc.assert(onMemory(), { numRuns: RUNS });
  });

  const broken: Readonly<Record<string, Break>> = {
    'gives what was taken at once again': (sound) => ({
      async due(limit) {
        const taken = await sound.due(limit);
        for (const { handle } of taken) await sound.schedule(handle, 0);
        return taken;
      },
    }),
    'takes one too many': (sound) => ({ due: (limit) => sound.due(limit + 1) }),
    'schedules a millisecond late': (sound) => ({
      schedule: (handle, delay) => sound.schedule(handle, delay + 1),
    }),
    'counts a turn in which nothing was sent': (sound) => ({
      postpone: (handle, postponement) => sound.postpone(handle, { ...postponement, sent: true }),
    }),
    'postpones whatever turn it is told': (sound) => ({
      async postpone(handle, postponement) {
        const { turn = 0 } = (await sound.find(handle)) ?? {};
        return sound.postpone(handle, { ...postponement, turn });
      },
    }),
    'does not know a turn that was postponed': (sound) => ({
      async postpone(handle, postponement) {
        const { turn } = (await sound.find(handle)) ?? {};
        return turn === postponement.turn && sound.postpone(handle, postponement);
      },
    }),
    'lets the last body stand': (sound) => ({
      async keepBody(handle, body) {
        return (await sound.keepBody(handle, body)) && body;
      },
    }),
    'takes a body that was delivered for useless': (sound) => ({
      async keepBody(handle, body) {
        const { state } = (await sound.find(handle)) ?? {};
        return state === 'waiting' ? sound.keepBody(handle, body) : undefined;
      },
    }),
    'lets the last ending stand': (sound) => ({
      async end(handle, ending) {
        return (await sound.end(handle, ending)) && ending.state;
      },
    }),
    'leaves a delivered request approved': (sound) => ({
      end: (handle, ending) => sound.end(handle, { ...ending, becomes: undefined }),
    }),
    'keeps the secrets': (sound) => ({
      leave: (handle, how) => sound.leave(handle, { ...how, secrets: false }),
    }),
    'lists what was given up too long': (sound) => ({
      leave: (handle, { secrets, failedFor }) =>
        sound.leave(handle, { secrets, ...(failedFor !== undefined && { failedFor: failedFor + 1 }) }),
    }),
    'opens a turn and gives the one before': (sound) => ({
      async reopen(handle) {
        const { turn, state } = (await sound.find(handle)) ?? {};
        const opened = await sound.reopen(handle);
        return opened !== undefined && state === 'failed' ? turn : opened;
      },
    }),
  };

  test.each(Object.entries(broken))('control: an outbox that %s is found out', async (_, methods) => {
    const found = await fc.check(onMemory(methods), { numRuns: RUNS_OF_A_CONTROL, endOnFailure: true });
    expect(found.failed).toBe(true);
    expect(found.counterexample).not.toBeNull();
  });
});

describe('in Redis', () => {
  test('PUSH-7: two nodes do what the model does, whatever is done on them in whatever order', async () => {
    const server = await startRedis();
    const clock = movingClock();
    const [client, prefix] = [server.client(), randomUUID()];
    const stores = [1, 2].map(() => new RedisStore(client, prefix, clock.offset, () => {}));
    const nodes = stores.map((store) => ({ store, outbox: store.outbox }));
    const open: Open = async () => {
      clock.reset();
      await client.flushall();
      return { real: { nodes, clock, drift: DRIFT }, done: async () => {} };
    };
    try {
      await fc.assert(property(coarse, open), { numRuns: RUNS_IN_REDIS });
    } finally {
      for (const store of stores) await store.close();
      await server.stop();
    }
  }, 300_000);
});
