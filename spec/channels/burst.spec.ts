import { CHAIN_WITHIN, SEND_WITHIN } from '../../lib/channels/prompter.js';
import { MemoryQueue } from '../../lib/delivery/memory-queue.js';
import { CONCURRENCY } from '../../lib/delivery/queue.js';
import { DueWorker } from '../../lib/delivery/worker.js';
import { TAKEN_FOR } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import { COMMAND_TIMEOUT } from '../../lib/store/redis-connection.js';
import { ask } from '../store/contract/given.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

test('a turn that takes as long as it may ends before another process may take it', () => {
  // Finding the request, asking the server for the chain, sending, writing down what came of it, and when to look again.
  expect(COMMAND_TIMEOUT + CHAIN_WITHIN + SEND_WITHIN + 2 * COMMAND_TIMEOUT).toBeLessThan(TAKEN_FOR);
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
    for (let begun = 0; begun < TOTAL; begun += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async () => {
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
