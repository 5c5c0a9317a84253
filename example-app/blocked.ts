import type { Ciba } from 'oidc-provider-ciba';
import type { LiveStream } from './live-stream.js';
import type { Storage } from './storage.js';

/** Which clients each person has reported, so that they can let them ask again. The plugin keeps the block itself. */
export class Blocked {
  readonly #ciba: Ciba;
  readonly #storage: Storage;
  readonly #changed = new EventTarget();

  constructor(ciba: Ciba, storage: Storage) {
    this.#ciba = ciba;
    this.#storage = storage;
    ciba.on('request.reported', async ({ handle, clientId, accountId }) => {
      const name = (await ciba.requests.get(handle))?.clientName ?? clientId;
      await storage.set(groupOf(accountId), clientId, name);
      this.#changed.dispatchEvent(new Event(accountId));
    });
  }

  /** Lets a client ask this person again. */
  async end(accountId: string, client: string): Promise<void> {
    await this.#ciba.requests.unblock(accountId, client);
    await this.#storage.remove(groupOf(accountId), client);
    this.#changed.dispatchEvent(new Event(accountId));
  }

  /** Keeps a page informed: `blocked` with all clients that this person has blocked, now and whenever that changed. */
  feed(accountId: string, stream: LiveStream): void {
    const tell = async (): Promise<void> => {
      const found = await this.#storage.entries(groupOf(accountId));
      stream.send('blocked', { clients: [...found].map(([id, name]) => ({ id, name })) });
    };
    // Where the storage does not answer, the list of prompts says so.
    const told = (): Promise<void> => tell().catch(() => {});
    this.#changed.addEventListener(accountId, told, { signal: stream.over });
    void told();
  }
}

const groupOf = (accountId: string): string => `blocked:${accountId}`;
