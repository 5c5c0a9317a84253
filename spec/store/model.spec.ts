import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore } from '../../lib/store/redis.js';
import type {
  ClaimAttempt,
  ClaimResult,
  DecisionAttempt,
  NewRequest,
  PollAttempt,
} from '../../lib/store/store.js';
import { movingClock, stopTime } from '../support/clock.js';
import { startRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { Model } from './model/model.js';
import { type Real, runs, type Times } from './model/steps.js';

const RUNS = rounds(3_000, 10_000);
/** Many more than any broken store has needed. */
const RUNS_OF_A_CONTROL = 100_000;

/** To the millisecond, about every edge: the process's clock stands still. */
const exact: Times = {
  moves: [1, 499, 500, 501, 1_000, 4_499, 4_500, 4_999, 5_000, 5_001, 9_999, 10_000, 20_000],
  lifetimes: [10_000, 25_000],
  retention: 15_000,
  interval: 5_000,
  lease: 5_000,
  leaseLeft: [0, 0, 0, 4_999, 5_000, 5_001],
};

/** In steps of 5 seconds, so that the time which a run really takes is never between the model and the server. */
const coarse: Times = {
  moves: [5_000, 5_000, 10_000, 15_000, 20_000],
  lifetimes: [10_000, 25_000],
  retention: 15_000,
  interval: 5_000,
  lease: 5_000,
  leaseLeft: [0, 0, 500, 7_000],
};
const DRIFT = 4_000;

/** Any run of steps on a store that `open` gives, a fresh one or one that has been used before. */
function property(times: Times, open: () => { real: Real; done: () => Promise<void> }) {
  return fc.asyncProperty(runs(times, 20), async (steps) => {
    const { real, done } = open();
    await fc.asyncModelRun(() => ({ model: new Model(), real }), steps);
    await done();
  });
}

function onMemory(make: (offset: () => number) => MemoryStore = (offset) => new MemoryStore(offset)) {
  return property(exact, () => {
    const clock = movingClock();
    const store = make(clock.offset);
    return { real: { nodes: [store], clock, mark: 'm', drift: 0 }, done: () => store.close() };
  });
}

describe('in memory', () => {
  let letTimeGo: () => void;
  beforeAll(() => {
    letTimeGo = stopTime();
  });
  afterAll(() => letTimeGo());

  test('a store does what the model does, whatever is done to it in whatever order', async () => {
    await fc.assert(onMemory(), { numRuns: RUNS });
  });

  const broken: Readonly<Record<string, new (offset: () => number) => MemoryStore>> = {
    'settles for anybody': class extends MemoryStore {
      readonly #tokens = new Map<string, string>();
      override async claim(attempt: ClaimAttempt): Promise<ClaimResult> {
        const told = await super.claim(attempt);
        if (told.result === 'won') this.#tokens.set(attempt.handle, attempt.token);
        return told;
      }
      override async settle(handle: string): Promise<boolean> {
        return super.settle(handle, this.#tokens.get(handle) ?? '');
      }
    },
    'never slows a poll down': class extends MemoryStore {
      override async poll(attempt: PollAttempt) {
        const told = await super.poll(attempt);
        return told.result === 'slow_down' ? { ...told, result: 'pending' as const } : told;
      }
    },
    'counts a repeated poll': class extends MemoryStore {
      override poll(attempt: PollAttempt) {
        return super.poll({ ...attempt, operation: randomUUID() });
      }
    },
    'answers every client': class extends MemoryStore {
      override poll(attempt: PollAttempt) {
        return super.poll({ ...attempt, clientId: 'till' });
      }
    },
    'lets two claims win': class extends MemoryStore {
      override async claim(attempt: ClaimAttempt): Promise<ClaimResult> {
        const told = await super.claim(attempt);
        return told.result === 'claimed' ? { result: 'won' } : told;
      }
    },
    'lets two polls claim': class extends MemoryStore {
      override async poll(attempt: PollAttempt) {
        const told = await super.poll(attempt);
        if (told.result !== 'claimed' || !attempt.claim) return told;
        const { payload = '', decision = '', accountId = '' } = (await super.read(attempt.handle)) ?? {};
        return { result: 'approved' as const, claimed: true, remaining: 0, payload, decision, accountId };
      }
    },
    'does not claim with a poll': class extends MemoryStore {
      override poll({ claim: _, ...attempt }: PollAttempt) {
        return super.poll(attempt);
      }
    },
    'holds a claim a millisecond too long': class extends MemoryStore {
      override claim(attempt: ClaimAttempt) {
        return super.claim({ ...attempt, lease: attempt.lease + 1 });
      }
    },
    'forgets a request a millisecond too early': class extends MemoryStore {
      override create(request: NewRequest) {
        return super.create({ ...request, retention: request.retention - 1 });
      }
    },
    'lets anybody decide': class extends MemoryStore {
      override decide(attempt: DecisionAttempt) {
        return super.decide({ ...attempt, accountId: undefined });
      }
    },
    'does not know a repeated decision': class extends MemoryStore {
      override decide(attempt: DecisionAttempt) {
        return super.decide({ ...attempt, operation: randomUUID() });
      }
    },
    'has a place too many': class extends MemoryStore {
      override create(request: NewRequest) {
        const { account } = request.limits;
        return super.create({ ...request, limits: { ...request.limits, account: account && account + 1 } });
      }
    },
    'has no doubt about what may be given back': class extends MemoryStore {
      override async settle(...redemption: Parameters<MemoryStore['settle']>): Promise<boolean> {
        const told = await super.settle(...redemption);
        if (told) await super.confirm(redemption[0]);
        return told;
      }
    },
    'does not give a claim back': class extends MemoryStore {
      override async release() {}
    },
  };

  test.each(Object.entries(broken))('control: a store that %s is found out', async (_, Broken) => {
    const found = await fc.check(
      onMemory((offset) => new Broken(offset)),
      { numRuns: RUNS_OF_A_CONTROL, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
    expect(found.counterexample).not.toBeNull();
  });
});

describe('in Redis', () => {
  test('two nodes do what the model does, whatever is done on them in whatever order', async () => {
    const server = await startRedis();
    const clock = movingClock();
    const [client, prefix] = [server.client(), randomUUID()];
    const nodes = [1, 2].map(() => new RedisStore(client, prefix, clock.offset, () => {}));
    let run = 0;
    try {
      await fc.assert(
        property(coarse, () => {
          clock.reset();
          run += 1;
          return { real: { nodes, clock, mark: String(run), drift: DRIFT }, done: async () => {} };
        }),
        { numRuns: RUNS },
      );
    } finally {
      for (const node of nodes) await node.close();
      await server.stop();
    }
  }, 300_000);
});
