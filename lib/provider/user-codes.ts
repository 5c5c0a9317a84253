import { randomUUID } from 'node:crypto';
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Emitter } from '../emitter.js';
import type { CibaOptions } from '../options.js';
import { matchesUserCode } from '../request/user-code.js';
import { inBackground } from '../store/in-background.js';
import type { Guess, Store } from '../store/store.js';
import { exchangeOf } from './exchange.js';
import { limited } from './limits.js';
import { failClosed } from './unavailable.js';

type Verify = NonNullable<CibaOptions['verifyUserCode']>;

/** How many wrong codes one client may send for an account, and all clients together. */
const MOST: Guess['most'] = { accountAndClient: 3, account: 6 };

/** How long a wrong code counts, in milliseconds. */
const COUNTED_FOR = 15 * 60_000;

/**
 * Checks a user code by the option, which is asked only while the account has not seen too many wrong ones (CIBA Core 7.1.2). Nothing but
 * the asking for user codes is held up by them: neither other clients, nor the person's own way to the server.
 */
export class UserCodes {
  readonly #verify: Verify;
  readonly #store: Store;
  readonly #events: Emitter;

  constructor(verify: Verify, { store, events }: { readonly store: Store; readonly events: Emitter }) {
    this.#verify = verify;
    this.#store = store;
    this.#events = events;
  }

  /**
   * @throws {errors.InvalidUserCode}
   * @throws {errors.AccessDenied} with 403, as every limit of an account, where there were too many wrong codes
   */
  async check(ctx: KoaContextWithOIDC, accountId: string, userCode: string): Promise<void> {
    const exchange = exchangeOf(ctx);
    const { clientId } = ctx.oidc.client as Client;
    const guess: Guess = { accountId, clientId, operation: randomUUID(), most: MOST, lifetime: COUNTED_FOR };
    const takeBack = (): Promise<void> => this.#store.takeBackGuess(guess);
    const counted = await failClosed(exchange, () => this.#store.guess(guess)).catch((error: unknown) => {
      inBackground(takeBack);
      throw error;
    });
    if (!counted) {
      this.#events.emit('request.limited', { clientId, accountId, limit: 'user_code' });
      throw limited(exchange, 'user_code');
    }
    // Nobody has a code; guesses of one count as those of a person's do, and take as long as `matchesUserCode` does.
    const right =
      exchange.nobody === undefined
        ? await this.#ask(accountId, userCode, takeBack)
        : await matchesUserCode(userCode, undefined);
    if (!right) throw new errors.InvalidUserCode('user_code is not valid');
    await failClosed(exchange, () => this.#store.guessedRight(guess));
  }

  /** A fault of the server's says nothing of the code, so it is not counted. */
  async #ask(accountId: string, userCode: string, takeBack: () => Promise<void>): Promise<boolean> {
    try {
      return await this.#verify(accountId, userCode);
    } catch (error) {
      inBackground(takeBack);
      throw error;
    }
  }
}
