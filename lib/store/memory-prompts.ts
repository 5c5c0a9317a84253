import type { RequestRecord } from './lifecycle.js';
import { TAKEN_FOR } from './outbox.js';
import type { Advance, Prompts, StoredPrompt } from './prompts.js';
import type { StoredRequest } from './store.js';

type Find = (
  handle: string,
) => { readonly record: RequestRecord; readonly request: StoredRequest } | undefined;

/** {@link Prompts} in the memory of one process, over the requests that are there. */
export class MemoryPrompts implements Prompts {
  readonly #now: () => number;
  readonly #find: Find;
  readonly #index = new Map<string, number>();

  constructor(now: () => number, find: Find) {
    this.#now = now;
    this.#find = find;
  }

  async schedule(handle: string, delay: number): Promise<void> {
    this.#index.set(handle, this.#now() + Math.round(delay));
  }

  async due(limit: number): Promise<{ handle: string; turn: number }[]> {
    const now = this.#now();
    const due = [...this.#index].filter(([, at]) => at <= now).sort(([, one], [, other]) => one - other);
    return due.slice(0, limit).map(([handle]) => {
      this.#index.set(handle, now + TAKEN_FOR);
      return { handle, turn: this.#find(handle)?.record.prompt?.turn ?? 0 };
    });
  }

  async find(handle: string): Promise<StoredPrompt | undefined> {
    const { record, request } = this.#find(handle) ?? {};
    if (!record?.prompt || !request) return undefined;
    const { turn, progress } = record.prompt;
    return { request, turn, progress };
  }

  async advance(handle: string, { turn, progress, delay, operation }: Advance): Promise<boolean> {
    const prompt = this.#find(handle)?.record.prompt;
    if (!prompt) return false;
    if (prompt.advanced !== operation) {
      if (prompt.turn !== turn) return false;
      const dueAt = this.#now() + Math.round(delay);
      Object.assign(prompt, { turn: turn + 1, progress, advanced: operation, dueAt });
    }
    this.#index.set(handle, Math.max(this.#now(), prompt.dueAt ?? 0));
    return true;
  }

  async leave(handle: string): Promise<void> {
    this.#index.delete(handle);
  }
}
