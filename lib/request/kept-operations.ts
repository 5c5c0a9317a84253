/** How many are kept, so that an outage cannot fill the memory. */
const LIMIT = 10_000;

/** The names of operations on the store that came to nothing, or may have: whoever comes again does the same one once more. */
export class KeptOperations {
  readonly #operations = new Map<string, string>();

  get(id: string): string | undefined {
    return this.#operations.get(id);
  }

  keep(id: string, operation: string): void {
    this.#operations.set(id, operation);
    const [oldest] = this.#operations.keys();
    if (this.#operations.size > LIMIT && oldest !== undefined) this.#operations.delete(oldest);
  }

  forget(id: string): void {
    this.#operations.delete(id);
  }
}
