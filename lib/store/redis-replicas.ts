import type { Cluster, Redis } from 'ioredis';
import { COMMAND_TIMEOUT, openConnection, type RedisClient, whenReady } from './redis-connection.js';
import type { Script } from './scripts.js';
import { slotOf } from './slot.js';

/** Who must have what may not be lost before it counts. */
export interface Replicas {
  /** How many replicas. */
  readonly acknowledge: number;
  /** How long they are waited for, in milliseconds. */
  readonly within: number;
}

/** A script to be run, and whom to tell. */
interface Step {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  readonly since: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A server that does not have the slot any more, or not the whole of it. */
const ELSEWHERE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /;

/**
 * Runs scripts whose effect counts once so many replicas have it (`WAIT`), over a connection of its own: it takes nothing else meanwhile.
 * What comes while replicas are waited for goes together, with one `WAIT` for all. The scripts must write whenever they tell of
 * something that was written, because `WAIT` looks at what was written over its own connection.
 */
export class ReplicaScripts {
  readonly #replicas: Replicas;
  readonly #connection: RedisClient;
  /** What waits for each server whose replicas are asked: a cluster has several. */
  readonly #waiting = new Map<string, Step[]>();

  constructor(client: RedisClient, replicas: Replicas) {
    this.#replicas = replicas;
    this.#connection = openConnection(client);
  }

  async run(script: Script, keys: readonly string[], args: Step['args']): Promise<unknown> {
    const since = performance.now();
    await whenReady(this.#connection);
    return this.#run({ script, keys, args, since });
  }

  close(): void {
    this.#connection.disconnect();
  }

  #run(asked: Omit<Step, 'resolve' | 'reject'>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const step = { ...asked, resolve, reject };
      const server = serverOf(this.#connection, asked.keys);
      const others = this.#waiting.get(server);
      if (others) others.push(step);
      else {
        this.#waiting.set(server, [step]);
        void this.#goOn(server);
      }
    });
  }

  async #goOn(server: string): Promise<void> {
    for (;;) {
      const waiting = this.#waiting.get(server)?.splice(0) ?? [];
      // Whoever has been told that it is not known will not be told of it: it must not come to anything by then.
      const steps = waiting.filter(({ since }) => performance.now() - since < COMMAND_TIMEOUT);
      if (steps.length > 0) await this.#together(steps);
      if (this.#waiting.get(server)?.length === 0) {
        this.#waiting.delete(server);
        return;
      }
    }
  }

  /**
   * One pipeline: on a cluster all of it goes to the same node, and a WAIT whose scripts went over a connection that broke is not sent
   * again alone. With the scripts' text: one that is sent anew, because the server has forgotten it, would come after its WAIT.
   */
  async #together(steps: readonly Step[]): Promise<void> {
    const { acknowledge, within } = this.#replicas;
    const pipeline = this.#connection.pipeline();
    for (const { script, keys, args } of steps) {
      pipeline.eval(script.lua, script.numberOfKeys, ...keys, ...args);
    }
    pipeline.wait(acknowledge, within);
    const replies = await pipeline
      .exec()
      .catch((error: Error) => steps.map(() => [error, undefined] as const));
    const [unheard, count] = replies?.[steps.length] ?? [];
    const missing = unheard ?? (Number(count) >= acknowledge ? undefined : tooFew(count, acknowledge));
    for (const [index, step] of steps.entries()) {
      const [failure, answer] = replies?.[index] ?? [];
      if (failure && ELSEWHERE.test(failure.message)) this.#follow(step);
      else if (failure ?? missing) step.reject(failure ?? missing);
      else step.resolve(answer);
    }
  }

  /** By itself a script is led to whoever has its slot now; its repeat then goes there as well. */
  #follow({ script, keys, args, since, resolve, reject }: Step): void {
    this.#connection
      .eval(script.lua, script.numberOfKeys, ...keys, ...args)
      .then(() => this.#run({ script, keys, args, since }))
      .then(resolve, reject);
  }
}

/** Which servers have the slot of these keys: what goes to the same ones may go together. */
function serverOf(connection: Redis | Cluster, [key = '']: readonly string[]): string {
  return connection.isCluster ? ((connection as Cluster).slots[slotOf(key)]?.join() ?? '') : '';
}

const tooFew = (count: unknown, wanted: number): Error => new Error(`${count} of ${wanted} replicas have it`);
