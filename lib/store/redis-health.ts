import { DeadlineError, within } from '../deadline.js';
import type { StoreHealth } from './health.js';
import { newOperation } from './operation.js';
import { COMMAND_TIMEOUT } from './redis-connection.js';
import type { RedisScripts } from './redis-scripts.js';

/** What Redis says where it answers and takes no writes: of a replica, of a full memory, of a disk that fails, of replicas that are gone. */
const READ_ONLY = /\b(?:READONLY|OOM|MISCONF|NOREPLICAS)\b/;

/** How long what was written for a look lives, in milliseconds: not until the next one. */
const PROBE_LIFE = 1;

/** Looks whether a Redis answers and takes writes: by a write, of a cluster to the node that the key lies on. INFO is of any node. */
export class RedisHealth {
  readonly #redis: RedisScripts;
  readonly #key: string;
  #run: string | undefined;
  #restarts = 0;

  constructor(redis: RedisScripts, prefix: string) {
    this.#redis = redis;
    this.#key = `${prefix}:once:health:{health}`;
  }

  async look(): Promise<StoreHealth> {
    const began = performance.now();
    // Both leave in one packet. Who may not ask for INFO has the rest all the same.
    const info = Promise.all([this.#info('server'), this.#info('memory')]);
    try {
      await this.#redis.tryRun('once', [this.#key], [newOperation(), PROBE_LIFE]);
      const latency = performance.now() - began;
      const left = Math.max(1, COMMAND_TIMEOUT - latency);
      const [server, memory] = await within(left, 'INFO', info).catch(() => ['', '']);
      return { state: 'ok', reason: undefined, latency, ...this.#told(String(server), String(memory)) };
    } catch (error) {
      const reason = reasonOf(error);
      const isReadOnly = READ_ONLY.test(reason);
      return {
        state: isReadOnly ? 'read_only' : 'unavailable',
        reason,
        latency: isReadOnly ? performance.now() - began : undefined,
        restarts: undefined,
        evictionPolicy: undefined,
      };
    }
  }

  #info(section: string): Promise<string> {
    return this.#redis.look((redis) => redis.info(section)).catch(() => '');
  }

  #told(server: string, memory: string): Pick<StoreHealth, 'restarts' | 'evictionPolicy'> {
    const run = /^run_id:(\w+)/m.exec(server)?.[1];
    const evictionPolicy = /^maxmemory_policy:([\w-]+)/m.exec(memory)?.[1];
    // Which node of a cluster has answered is chance.
    if (run === undefined || /^redis_mode:cluster/m.test(server))
      return { restarts: undefined, evictionPolicy };
    if (this.#run !== undefined && this.#run !== run) this.#restarts += 1;
    this.#run = run;
    return { restarts: this.#restarts, evictionPolicy };
  }
}

/** What Redis says stands in front, or before Redis 7 somewhere in what it says of a script. */
export function reasonOf(error: unknown): string {
  if (error instanceof DeadlineError) return 'timeout';
  const { name, message } = error as Error;
  if (name !== 'ReplyError') return 'connection';
  return (READ_ONLY.exec(message) ?? /^[A-Z]+/.exec(message))?.[0] ?? 'connection';
}
