import type { RedisScripts } from './redis-scripts.js';

/**
 * Takes from an index what is due, each with its turn. One whose node does not answer comes again when its time is over, and keeps nobody else
 * waiting.
 */
export async function dueOf(
  redis: RedisScripts,
  index: string,
  { limit, takenFor }: { readonly limit: number; readonly takenFor: number },
  turnOf: (handle: string) => Promise<number | string | null | undefined>,
): Promise<{ handle: string; turn: number }[]> {
  const handles = (await redis.run('due', [index], [limit, takenFor])) as string[];
  const due = await Promise.allSettled(
    handles.map(async (handle) => ({ handle, turn: Number((await turnOf(handle)) ?? 0) })),
  );
  return due.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
}
