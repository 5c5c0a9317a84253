import type { TestRedis } from '../support/redis-server.js';
import type { Death } from './history.js';
import { FaultNode, type NodeOptions } from './node.js';
import type { Field, Workload } from './workload.js';

/** What may happen to servers and their store. */
export const FAULTS = [
  'a node is killed',
  'Redis is frozen',
  'Redis forgets its scripts',
  'Redis is killed',
  'time passes',
] as const;

type Fault = (typeof FAULTS)[number];

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Does one fault after the other. Redis has to be durable: what it has acknowledged is there when it comes back. */
export class Nemesis {
  /** How often each was done. */
  readonly done: Record<Fault, number> = {
    'a node is killed': 0,
    'Redis is frozen': 0,
    'Redis forgets its scripts': 0,
    'Redis is killed': 0,
    'time passes': 0,
  };
  /** The nodes that were killed, and when. */
  readonly deaths: Death[] = [];
  readonly #field: Field;
  readonly #redis: TestRedis;
  readonly #workload: Workload;
  readonly #random: () => number;
  readonly #options: NodeOptions;

  constructor(
    field: Field,
    parts: { redis: TestRedis; workload: Workload; random: () => number; options?: NodeOptions },
  ) {
    this.#field = field;
    this.#redis = parts.redis;
    this.#workload = parts.workload;
    this.#random = parts.random;
    this.#options = parts.options ?? {};
  }

  /** Every fault in its turn, in another order each time, and what is left afterwards is whole. */
  async run(until: number): Promise<void> {
    for (let round: Fault[] = []; Date.now() < until; ) {
      if (round.length === 0) round = [...FAULTS].sort(() => this.#random() - 0.5);
      await pause(this.#random() * 800);
      const fault = round.pop() as Fault;
      await this.#do(fault);
      this.done[fault] += 1;
    }
  }

  async #do(fault: Fault): Promise<void> {
    switch (fault) {
      case 'a node is killed':
        return this.#killNode();
      case 'Redis is frozen':
        this.#redis.pause();
        await pause(100 + this.#random() * 2_000);
        return this.#redis.resume();
      case 'Redis forgets its scripts':
        for (let again = 0; again < 5; again += 1) {
          await this.#redis
            .client()
            .script('FLUSH')
            .catch(() => {});
          await pause(50);
        }
        return;
      case 'Redis is killed':
        await this.#redis.kill();
        await pause(this.#random() * 1_000);
        return this.#redis.restart();
      case 'time passes':
        return this.#letTimePass();
    }
  }

  async #killNode(): Promise<void> {
    const index = this.#random() < 0.5 ? 0 : 1;
    const node = this.#field.nodes[index];
    // Asked until its last moment: what was under way is lost.
    this.deaths.push({ node: index, at: Date.now() });
    await node?.kill();
    this.#field.nodes[index] = undefined;
    const env = { ...this.#options.env, OFFSET: String(this.#field.offset) };
    this.#field.nodes[index] = await FaultNode.start(this.#redis.url, { ...this.#options, env });
  }

  /** On all nodes between two operations: they may have clocks of their own, but the store has one. */
  async #letTimePass(): Promise<void> {
    let go = (): void => {};
    this.#field.still = new Promise((resolve) => {
      go = resolve;
    });
    await this.#workload.idle();
    this.#field.offset += Math.floor(this.#random() * 12_000);
    await Promise.all(this.#field.nodes.map((node) => node?.moveClock(this.#field.offset)));
    go();
  }
}
