import type { DeliveryQueue, Work } from './queue.js';

/** Where what is due is found: an index of the store. Whatever it gives is not given to anybody else for a while. */
export interface DueIndex {
  due(limit: number): Promise<readonly { readonly handle: string; readonly turn: number }[]>;
  /** Notes again when something is due. */
  schedule(handle: string, delay: number): Promise<void>;
}

/** How often the index is looked at for what nobody has begun, in milliseconds. */
const SWEEP_EVERY = 1_000;

/** How many are taken from the index at a time. */
const BATCH = 500;

/** Does what is due in this process: jobs of the queue, and what the index has and no job was made for. */
export class DueWorker {
  readonly #index: DueIndex;
  readonly #queue: DeliveryQueue;
  readonly #work: Work;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #working = 0;

  constructor(index: DueIndex, queue: DeliveryQueue, work: Work) {
    this.#index = index;
    this.#queue = queue;
    this.#work = work;
  }

  /** Whether this process works. */
  get working(): boolean {
    return this.#working > 0;
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
    this.#working = Math.max(0, this.#working - 1);
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

  #room(): number {
    return Math.min(BATCH, this.#queue.free);
  }

  /** The place may have been taken while the index was asked: then it is given back, for whoever has room. */
  #begin(handle: string, turn: number): Promise<void> {
    return this.#queue.free > 0 ? this.#queue.add(handle, turn) : this.#index.schedule(handle, 0);
  }

  async #sweep(): Promise<void> {
    // What is taken is left alone by others for a while: so no more than there is room for.
    for (let room = this.#room(); room > 0 && this.#working > 0; room = this.#room()) {
      const due = await this.#index.due(room);
      await Promise.all(due.map(({ handle, turn }) => this.#begin(handle, turn)));
      if (due.length < room) return;
    }
  }
}
