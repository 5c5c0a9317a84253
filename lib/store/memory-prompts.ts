import type { RequestRecord } from './lifecycle.js';
import { LATE_AFTER } from './outbox.js';
import {
  type Advance,
  ANNOUNCED_WITHIN,
  PROMPT_TAKEN_FOR,
  type Prompts,
  type StoredPrompt,
} from './prompts.js';
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
      this.#index.set(handle, now + PROMPT_TAKEN_FOR);
      return { handle, turn: this.#find(handle)?.record.prompt?.turn ?? 0 };
    });
  }

  async late(): Promise<number> {
    const before = this.#now() - LATE_AFTER;
    return [...this.#index.values()].filter((at) => at <= before).length;
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
    const now = this.#now();
    if (prompt.advanced[turn] !== operation) {
      if (prompt.turn !== turn) return false;
      const dueAt = now + Math.round(delay);
      Object.assign(prompt, { turn: turn + 1, progress, dueAt });
      prompt.advanced[turn] = operation;
    }
    if (prompt.turn !== turn + 1) return true;
    const at = Math.max(now, prompt.dueAt ?? 0);
    const noted = this.#index.get(handle);
    if (noted === undefined || noted > Math.min(at, now + ANNOUNCED_WITHIN)) this.#index.set(handle, at);
    return true;
  }

  async leave(handle: string): Promise<void> {
    this.#index.delete(handle);
  }
}
