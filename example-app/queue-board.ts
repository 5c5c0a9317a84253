import type { Queue } from 'bullmq';
import type { RequestHandler } from 'express';
import type { Redis } from 'ioredis';

/** Where the board is. */
export const QUEUE_PATH = '/demo/queue';

/** A look at the queue of deliveries. */
export interface QueueBoard {
  readonly handler: RequestHandler;
  close(): Promise<void>;
}

/**
 * Shows the plugin's queue with bull-board, to read only: what is due is in the plugin's store, not in the queue. Nothing of it
 * is loaded until somebody looks. It asks nobody who they are: in production it must not be there.
 */
export function queueBoard(redis: Redis): QueueBoard {
  let opened: ReturnType<typeof open> | undefined;
  return {
    handler: (req, res, next) => {
      opened ??= open(redis);
      opened.then(({ board }) => board(req, res, next), next);
    },
    async close() {
      await (await opened)?.queue.close();
    },
  };
}

async function open(redis: Redis): Promise<{ board: RequestHandler; queue: Queue }> {
  const [{ Queue }, { createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
    import('bullmq'),
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/express'),
  ]);
  const queue = new Queue('deliveries', { connection: redis, prefix: '{ciba}' });
  // The connection's owner says when Redis is away.
  queue.on('error', () => {});
  const server = new ExpressAdapter().setBasePath(QUEUE_PATH);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: true })],
    serverAdapter: server,
  });
  return { board: server.getRouter(), queue };
}
