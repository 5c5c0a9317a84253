import type { AuthorizationDetail } from '../request/payload.js';

/**
 * What a person is told that waits for them. It holds no secret: the `auth_req_id` and the number to be matched are never among it. Text
 * that came from a client is safe to show: what could steer a screen is made visible, and nothing is longer than a few lines.
 */
export interface Prompt {
  /** Names the request. */
  readonly handle: string;
  /** The client that asks. */
  readonly clientId: string;
  /** Its name, or its id where it has none. */
  readonly clientName: string;
  /** Who is asked. */
  readonly accountId: string;
  /** The scope asked for, space separated. */
  readonly scope: string;
  /** The names of the claims asked for one by one (OIDC Core 5.5). */
  readonly claims: readonly string[];
  /** What is asked for in detail (RFC 9396), as the client sent it. */
  readonly authorizationDetails: readonly AuthorizationDetail[];
  /** What the asking screen shows as well (CIBA Core 7.1). */
  readonly bindingMessage: string | undefined;
  /** When the request ends, by the store's clock. */
  readonly expiresAt: Date;
  /** Seconds left. */
  readonly expiresIn: number;
  /** Where the person decides: the decision page, where there is one. */
  readonly link: string | undefined;
}

/**
 * A way of reaching people: e-mail, text, web push, a webhook, or one of the server's own.
 *
 * The same prompt may be sent twice where a process was killed in between. A call that takes longer than five seconds is given up, and
 * `signal` is aborted.
 */
export interface Channel {
  /** Names the channel in the chain, in events and in views. 1 to 40 characters of `a-z0-9-`, unlike any other's. */
  readonly name: string;
  /**
   * Reaches the person, on all of their devices at once.
   * @throws {ChannelError} saying whether another try can help; any other error counts as `unavailable`
   */
  send(prompt: Prompt, signal: AbortSignal): Promise<void>;
  /**
   * Takes the prompt away from where it was shown, once it was decided or has ended. Tried as often as sending is. Left out by a channel that
   * cannot.
   */
  dismiss?(prompt: Prompt, signal: AbortSignal): Promise<void>;
  /** Ends what the channel opened. */
  close?(): Promise<void> | void;
}

/** A step of a chain: who is tried at once, and how long the next step waits for a decision. */
export interface ChainStep {
  /** The name of a channel, or of several that are tried at once. A later step may name one again, as a reminder. */
  readonly channel: string | readonly string[];
  /** Seconds until the next step begins, unless all of this one failed before. 0 to 3600. Default 20. */
  readonly wait?: number | undefined;
}

/**
 * Why a channel could not reach the person:
 *
 * - `no_address` the person has none for this channel
 * - `gone` there was one, and it does not work any more
 * - `refused` the other side will never take this message
 * - `unavailable` the other side does not answer or has a fault; another try can help
 */
export type ChannelFailure = 'no_address' | 'gone' | 'refused' | 'unavailable';

/** What a channel throws. `message` is for the log and may hold no secret. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  readonly reason: ChannelFailure;

  constructor(reason: ChannelFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
