import type { Redis } from 'ioredis';

/** One number of what `INFO` tells. */
export async function redisInfo(redis: Redis, section: string, name: string): Promise<number> {
  const found = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await redis.info(section));
  return Number(found?.[1]);
}
