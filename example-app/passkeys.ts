import type { StoredPasskey } from 'oidc-provider-ciba';
import type { Storage } from './storage.js';

/** The passkeys of each account. */
export class Passkeys {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async of(accountId: string): Promise<StoredPasskey[]> {
    const found = await this.#storage.entries(groupOf(accountId));
    return [...found.entries()].map(([id, text]) => passkeyIn(id, text));
  }

  async find(accountId: string, id: string): Promise<StoredPasskey | undefined> {
    return (await this.of(accountId)).find((passkey) => passkey.id === id);
  }

  async add(accountId: string, { id, publicKey, counter, transports }: StoredPasskey): Promise<void> {
    const kept = { publicKey: Buffer.from(publicKey).toString('base64url'), counter, transports };
    await this.#storage.set(groupOf(accountId), id, JSON.stringify(kept));
  }

  /** Keeps the counter of a passkey that was used. */
  async used(accountId: string, id: string, counter: number): Promise<void> {
    const passkey = await this.find(accountId, id);
    if (passkey) await this.add(accountId, { ...passkey, counter });
  }
}

function passkeyIn(id: string, text: string): StoredPasskey {
  const { publicKey, counter, transports } = JSON.parse(text) as {
    publicKey: string;
    counter: number;
    transports?: string[];
  };
  return { id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter, transports };
}

const groupOf = (accountId: string): string => `passkeys:${accountId}`;
