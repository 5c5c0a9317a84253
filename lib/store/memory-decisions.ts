import type { Decisions } from './decisions.js';

/** {@link Decisions} within one process. */
export class MemoryDecisions implements Decisions {
  #heard: (handle: string) => void = () => {};

  async listen(heard: (handle?: string) => void): Promise<void> {
    this.#heard = heard;
  }

  tell(handle: string): void {
    this.#heard(handle);
  }
}
