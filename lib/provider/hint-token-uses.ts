import { randomUUID } from 'node:crypto';
import { errors } from 'oidc-provider';
import { KeptOperations } from '../request/kept-operations.js';
import type { Refusal, Store } from '../store/store.js';
import type { Exchange } from './exchange.js';

/** What the store remembers used tokens as. */
const KIND = 'login_hint_token';

type Create = () => Promise<'created' | Refusal>;

/** Uses login hint tokens up: of all the requests that one comes with, a single one is stored (CIBA Core 15). */
export class HintTokenUses {
  readonly #store: Store;
  readonly #kept = new KeptOperations();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Stores a request and uses its token up, which is done before it: a request that somebody may see already cannot be taken back.
   * Where nothing is stored then, because of a limit or a fault, the client may come again to this process with the same token.
   * @throws {errors.ExpiredLoginHintToken} where it was used before
   * @throws {CibaError} `store_unavailable`
   */
  once(token: Exchange['hintToken'], create: Create): Promise<'created' | Refusal> {
    return token ? this.#once(token, create) : create();
  }

  async #once(
    { id, lifetime }: NonNullable<Exchange['hintToken']>,
    create: Create,
  ): Promise<'created' | Refusal> {
    const operation = this.#kept.get(id) ?? randomUUID();
    // A second request that comes meanwhile is another one.
    this.#kept.forget(id);
    try {
      if (await this.#store.useOnce(KIND, id, lifetime, operation)) {
        const created = await create();
        if (created !== 'created') this.#kept.keep(id, operation);
        return created;
      }
    } catch (error) {
      this.#kept.keep(id, operation);
      throw error;
    }
    throw new errors.ExpiredLoginHintToken('login_hint_token was used before');
  }
}
