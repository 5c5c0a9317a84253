import { CHAIN_WITHIN, SEND_WITHIN } from '../../lib/channels/prompter.js';
import { MemoryQueue } from '../../lib/delivery/memory-queue.js';
import { CONCURRENCY } from '../../lib/delivery/queue.js';
import { DueWorker } from '../../lib/delivery/worker.js';
import { MemoryStore } from '../../lib/store/memory.js';
import { PROMPT_TAKEN_FOR } from '../../lib/store/prompts.js';
import { RedisStore } from '../../lib/store/redis.js';
import { COMMAND_TIMEOUT } from '../../lib/store/redis-connection.js';
import { PROMPTED_WITHIN } from '../../lib/store/store.js';
import { ask } from '../store/contract/given.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

test('a turn that takes as long as it may ends before another process may take it', () => {
  // The index answers, then what is said of its requests; one is found, the server says the chain, it is sent, and what came of it is written
  // down, and when to look again: a command each.
  expect(5 * COMMAND_TIMEOUT + CHAIN_WITHIN + SEND_WITHIN).toBeLessThan(PROMPT_TAKEN_FOR);
  expect(PROMPTED_WITHIN).toBe(PROMPT_TAKEN_FOR);
});

test('a queue takes no job that would have to wait', async () => {
  const queue = new MemoryQueue();
  const begun: string[] = [];
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  queue.work(async (handle) => {
    begun.push(handle);
    await held;
    return 'done';
  });
  for (let index = 0; index <= CONCURRENCY; index += 1) await queue.add(`request ${index}`, 1);
  expect(queue.free).toBe(0);
  letGo();
  await until('all are done', () => queue.free === CONCURRENCY);
  expect(begun).toHaveLength(CONCURRENCY);
});

test('what was taken, and finds its place taken meanwhile, is due again at once', async () => {
  const { prompts } = new MemoryStore(() => 0);
  const queue = new MemoryQueue();
  const begun: string[] = [];
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await prompts.schedule('from the index', 0);
  const index = {
    // While it answers so many requests are accepted that nothing is free any more.
    async due(limit: number) {
      const due = await prompts.due(limit);
      for (let next = 0; next < CONCURRENCY; next += 1) await queue.add(`accepted ${next}`, 1);
      return due;
    },
    schedule: (handle: string, delay: number) => prompts.schedule(handle, delay),
  };
  const worker = new DueWorker(index, queue, async (handle) => {
    begun.push(handle);
    await held;
    return 'done';
  });
  worker.start();
  await until('nothing is free', () => queue.free === 0);
  letGo();
  await worker.close();
  expect(begun).not.toContain('from the index');
  expect(await prompts.due(1)).toEqual([{ handle: 'from the index', turn: 0 }]);
});

describe('more requests at once than two processes have room for', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('wait in the index for whoever has room, and each is taken once', async () => {
    const TOTAL = 3 * CONCURRENCY;
    const nodes = [0, 1].map(
      () =>
        new RedisStore(
          redis.client(),
          'burst',
          () => 0,
          () => {},
        ),
    );
    const [first] = nodes as [RedisStore, RedisStore];
    for (let begun = 0; begun < TOTAL; begun += 25) {
      await Promise.all(
        Array.from({ length: 25 }, async () => {
          const { handle } = await ask(first, { prompted: true });
          await first.prompts.schedule(handle, 0);
        }),
      );
    }

    // Every job takes until it is let go: nobody has room again before that.
    const taken: string[] = [];
    let letGo: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const workers = nodes.map((store) => {
      const queue = new MemoryQueue();
      return new DueWorker(store.prompts, queue, async (handle) => {
        taken.push(handle);
        await held;
        await store.prompts.leave(handle);
        return 'done';
      });
    });
    for (const worker of workers) worker.start();
    await until('both are full', () => taken.length === 2 * CONCURRENCY);
    // What nobody has room for is due still, and so anybody's who gets room.
    const due = await redis.client().zcount('burst:prompts', '-inf', Date.now());
    expect(due).toBe(TOTAL - 2 * CONCURRENCY);
    letGo();
    await until('all are done', () => taken.length >= TOTAL);
    expect(new Set(taken).size).toBe(TOTAL);
    expect(taken).toHaveLength(TOTAL);
    await Promise.all(workers.map((worker) => worker.close()));
    await Promise.all(nodes.map((store) => store.close()));
  });
});
