import { within } from '../deadline.js';
import type { Emitter } from '../emitter.js';
import { type Decision, payloadOf } from '../request/payload.js';
import type { Outbox, StoredDelivery } from '../store/outbox.js';
import type { Callback } from './callback.js';
import { pushBody, pushErrorBody, pushErrorOf } from './message.js';
import { readNote } from './note.js';
import { LARGEST_BODY } from './outgoing.js';
import { type PushGrant, type Recipients, SERVER_WITHIN, type TokenResponse } from './recipients.js';
import { delayBefore } from './retry-policy.js';

/** How often a body is tried to be kept whose keeping was not heard of. */
const KEEP_ATTEMPTS = 3;

/** What a push says; or when to try again, where its tokens could not be issued; or that the telling ended meanwhile. */
export type PushMessage =
  | { readonly body: string }
  | { readonly retryIn: number; readonly issueFailures: number }
  | 'ended';

/** What push messages are made with. */
export interface PushMessageParts {
  readonly outbox: Outbox;
  readonly recipients: Recipients;
  readonly events: Emitter;
}

/** Makes what a push says, once: it is kept before it is said, and says the same each time (CIBA Core 10.3.1, 12). */
export class PushMessages {
  readonly #parts: PushMessageParts;

  constructor(parts: PushMessageParts) {
    this.#parts = parts;
  }

  /** What is said, or when it may be known; `hasTime` says whether so many milliseconds are left for another try. */
  async of(
    due: StoredDelivery,
    callback: Callback,
    hasTime: (milliseconds: number) => boolean,
  ): Promise<PushMessage> {
    const { request } = due;
    const { handle } = request;
    // Kept by a turn that may not have heard of it: with replicas, it is said once they have it.
    if (due.body !== undefined) return this.#keep(handle, due.body);
    const error = pushErrorOf(request);
    if (error) return this.#keep(handle, pushErrorBody(callback, error.error, error.description));
    const issued = await this.#issue(grantOf(due, callback)).catch((cause: unknown) => ({ cause }));
    if ('tokens' in issued) {
      const body = pushBody(callback, issued.tokens);
      if (Buffer.byteLength(body) <= LARGEST_BODY) return this.#keep(handle, body, issued.tokens);
      await this.#parts.recipients.destroy(issued.tokens);
    }
    if ('cause' in issued) {
      this.#parts.events.emit('delivery.error', { handle, cause: issued.cause });
      // A fault may pass: it is a failed transaction only when there is no time left for another try.
      const issueFailures = (readNote(due.note).issueFailures ?? 0) + 1;
      const retryIn = delayBefore(issueFailures);
      if (hasTime(retryIn + SERVER_WITHIN)) return { retryIn, issueFailures };
    }
    const description = 'refused' in issued ? issued.refused : undefined;
    return this.#keep(handle, pushErrorBody(callback, 'transaction_failed', description));
  }

  /** Another process may have been first: then what it kept is said, and what was issued here is destroyed. */
  async #keep(handle: string, body: string, issued?: TokenResponse): Promise<PushMessage> {
    const stands = await this.#keepBody(handle, body);
    if (issued && stands !== body) await this.#parts.recipients.destroy(issued);
    return stands === undefined ? 'ended' : { body: stands };
  }

  async #keepBody(
    handle: string,
    body: string,
    attempts: number = KEEP_ATTEMPTS,
  ): Promise<string | undefined> {
    return this.#parts.outbox.keepBody(handle, body).catch((error: unknown) => {
      if (attempts === 1) throw error;
      return this.#keepBody(handle, body, attempts - 1);
    });
  }

  /** Tokens that come when nobody waits for them any more are destroyed. */
  async #issue(grant: PushGrant): ReturnType<Recipients['issue']> {
    const { recipients } = this.#parts;
    const issuing = recipients.issue(grant);
    try {
      return await within(SERVER_WITHIN, 'issuing tokens', issuing);
    } catch (cause) {
      issuing
        .then((late) => ('tokens' in late ? recipients.destroy(late.tokens) : undefined))
        .catch(() => {});
      throw cause;
    }
  }
}

function grantOf({ request }: StoredDelivery, { authReqId, constraint }: Callback): PushGrant {
  const { clientId, accountId, decision = '{}' } = request;
  const { model } = payloadOf(request);
  return { authReqId, clientId, accountId, model, decision: JSON.parse(decision) as Decision, constraint };
}
