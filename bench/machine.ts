import { createRequire } from 'node:module';
import { cpus, totalmem } from 'node:os';
import { startRedis } from '../spec/support/redis-server.js';

/** What was measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** In GB. */
  readonly memory: number;
  /** Versions by name. */
  readonly versions: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version;

export async function describeMachine(): Promise<Machine> {
  const redis = await startRedis();
  const [, redisVersion = ''] = /redis_version:(\S+)/.exec(await redis.client().info('server')) ?? [];
  await redis.stop();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    versions: {
      Node: process.version.slice(1),
      Redis: redisVersion,
      'oidc-provider': versionOf('oidc-provider'),
      express: versionOf('express'),
      ioredis: versionOf('ioredis'),
      bullmq: versionOf('bullmq'),
    },
  };
}
