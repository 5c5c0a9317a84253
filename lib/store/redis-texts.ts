import { CibaError } from '../errors.js';
import { Encryption } from './encryption.js';
import { requestKey } from './redis-keys.js';
import type { Status, StoredRequest, Verdict } from './store.js';

/** What a script tells of a request, in front of what else it tells. */
export type ToldRequest = [
  status: Status,
  remaining: number,
  expiresAt: number,
  clientId: string,
  accountId: string,
  payload: string,
  decision: string | null,
];

/** The texts of a request on their way into Redis and back: encrypted where the server has keys, else as they are. */
export class RedisTexts {
  readonly #prefix: string;
  readonly #encryption: Encryption | undefined;
  readonly #unreadable: (cause: unknown) => void;

  constructor(
    prefix: string,
    keys: readonly (Uint8Array | string)[] | undefined,
    unreadable: (cause: unknown) => void,
  ) {
    this.#prefix = prefix;
    this.#encryption = keys && new Encryption(keys);
    this.#unreadable = unreadable;
  }

  /** What is stored of a text; `place` is its name, and what it must not be parted from. */
  seal(handle: string, text: string, ...place: readonly string[]): string {
    return this.#encryption ? this.#encryption.seal(text, requestKey(this.#prefix, handle), place) : text;
  }

  /**
   * The text of what was stored.
   * @throws {CibaError} `store_unavailable` where it cannot be read, which is said like any other failure of the store
   */
  open(handle: string, value: string | null, ...place: readonly string[]): string {
    if (!this.#encryption) return value as string;
    try {
      if (value === null) throw new Error('it is missing');
      return this.#encryption.open(value, requestKey(this.#prefix, handle), place);
    } catch (error) {
      const why = (error as Error).message;
      const cause = new Error(`the ${place[0]} of the request ${handle} cannot be read: ${why}`);
      this.#unreadable(cause);
      throw new CibaError('store_unavailable', 'the store holds what cannot be read', { cause });
    }
  }

  /** Whose a request is goes with its payload: so that nobody makes it somebody else's. */
  sealPayload(handle: string, payload: string, clientId: string, accountId: string): string {
    return this.seal(handle, payload, 'payload', clientId, accountId);
  }

  openPayload(handle: string, payload: string, clientId: string, accountId: string): string {
    return this.open(handle, payload, 'payload', clientId, accountId);
  }

  /** A no is not to become a yes. */
  sealDecision(handle: string, decision: string, verdict: Verdict): string {
    return this.seal(handle, decision, 'decision', verdict);
  }

  /** The decision that has brought a request to where it stands. */
  openDecision(handle: string, decision: string | null, status: Status): string {
    const verdict = status === 'denied' || status === 'cancelled' ? status : 'approved';
    return this.open(handle, decision, 'decision', verdict);
  }

  /** A request as a script tells of it. */
  requestOf(
    handle: string,
    found: readonly [...ToldRequest, ...unknown[]],
    more: Pick<StoredRequest, 'told' | 'prompted'>,
  ): StoredRequest {
    const [status, remaining, expiresAt, clientId, accountId, payload, decision] = found;
    const undecided = decision === null && (status === 'pending' || status === 'expired');
    return {
      handle,
      status,
      remaining,
      expiresAt,
      clientId,
      accountId,
      payload: this.openPayload(handle, payload, clientId, accountId),
      decision: undecided ? undefined : (this.openDecision(handle, decision, status) ?? undefined),
      ...more,
    };
  }
}
