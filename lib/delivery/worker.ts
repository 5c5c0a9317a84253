import type { Outbox } from '../store/outbox.js';
import type { DeliveryQueue, Work } from './queue.js';

/** How often the outbox is looked at for what nobody has begun, in milliseconds. */
const SWEEP_EVERY = 1_000;

/** How many are taken from the outbox at a time. */
const BATCH = 500;

/** Does what is due in this process: jobs of the queue, and what the outbox has and no job was made for. */
export class DeliveryWorker {
  readonly #outbox: Outbox;
  readonly #queue: DeliveryQueue;
  readonly #work: Work;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #working = 0;

  constructor(outbox: Outbox, queue: DeliveryQueue, work: Work) {
    this.#outbox = outbox;
    this.#queue = queue;
    this.#work = work;
  }

  /** Begins, where nobody in this process has. */
  start(): void {
    this.#working += 1;
    if (this.#working > 1) return;
    this.#plan();
    this.#queue.work(this.#work);
  }

  /** Finishes what is running, where nobody else in this process goes on; what is left is another process's. */
  async stop(): Promise<void> {
    this.#working -= 1;
    if (this.#working <= 0) await this.close();
  }

  /** Finishes what is running, whoever began. */
  async close(): Promise<void> {
    this.#working = 0;
    clearTimeout(this.#timer);
    await this.#sweeping;
    await this.#queue.rest();
  }

  #plan(): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep()
        // Whatever did not answer: what is due stays due.
        .catch(() => {})
        .then(() => {
          if (this.#working > 0) this.#plan();
        });
    }, SWEEP_EVERY).unref();
  }

  async #sweep(): Promise<void> {
    for (;;) {
      const due = await this.#outbox.due(BATCH);
      await Promise.all(due.map(({ handle, turn }) => this.#queue.add(handle, turn)));
      if (due.length < BATCH || this.#working === 0) return;
    }
  }
}
