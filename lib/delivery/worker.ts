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
  #closed = false;

  constructor(outbox: Outbox, queue: DeliveryQueue, work: Work) {
    this.#outbox = outbox;
    this.#queue = queue;
    this.#work = work;
  }

  async start(): Promise<void> {
    this.#plan();
    await this.#queue.work(this.#work);
  }

  /** Finishes what is running; what is left is another process's, or the next start's. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
    await this.#queue.close();
  }

  #plan(): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep()
        // The store has said that it does not answer; what is due stays due.
        .catch(() => {})
        .then(() => {
          if (!this.#closed) this.#plan();
        });
    }, SWEEP_EVERY).unref();
  }

  async #sweep(): Promise<void> {
    for (;;) {
      const due = await this.#outbox.due(BATCH);
      await Promise.all(due.map(({ handle, turn }) => this.#queue.add(handle, turn)));
      if (due.length < BATCH || this.#closed) return;
    }
  }
}
