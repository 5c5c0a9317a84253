import { CONCURRENCY, type DeliveryQueue, type Work } from './queue.js';

/** A {@link DeliveryQueue} of one process. */
export class MemoryQueue implements DeliveryQueue {
  readonly #jobs = new Map<string, () => Promise<string>>();
  readonly #running = new Map<string, Promise<void>>();
  #work: Work | undefined;

  get free(): number {
    return this.#work ? Math.max(0, CONCURRENCY - this.#running.size - this.#jobs.size) : 0;
  }

  async add(handle: string, turn: number): Promise<void> {
    const name = `${handle}.${turn}`;
    if (this.#running.has(name)) return;
    // One that waited here would be done when others may have taken it: what finds no place stays due where it is.
    if (this.#running.size + this.#jobs.size >= CONCURRENCY) return;
    this.#jobs.set(name, async () => (await this.#work?.(handle, turn)) ?? '');
    this.#next();
  }

  work(work: Work): void {
    this.#work = work;
    this.#next();
  }

  async rest(): Promise<void> {
    this.#work = undefined;
    await Promise.all(this.#running.values());
  }

  async close(): Promise<void> {
    this.#jobs.clear();
    await this.rest();
  }

  #next(): void {
    for (const [name, job] of this.#jobs) {
      if (!this.#work || this.#running.size >= CONCURRENCY) return;
      this.#jobs.delete(name);
      // A job that fails is still due, and is added again.
      const done = job()
        .catch(() => '')
        .then(() => {
          this.#running.delete(name);
          this.#next();
        });
      this.#running.set(name, done);
    }
  }
}
