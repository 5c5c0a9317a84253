import type { Decision } from '../request/payload.js';
import type { SenderConstraint, TellingMode } from './callback.js';

/** A client to be told, as it is registered now. */
export interface Recipient {
  readonly mode: 'poll' | TellingMode;
  readonly endpoint: string | undefined;
}

/** An approval whose tokens are pushed. */
export interface PushGrant {
  readonly authReqId: string;
  readonly clientId: string;
  readonly accountId: string;
  /** The request as it is stored. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly decision: Decision;
  readonly constraint: SenderConstraint | undefined;
}

/** The members of a token response. */
export type TokenResponse = Readonly<Record<string, unknown>>;

/** How long the server's own hooks and adapter may take, in milliseconds, before the turn is taken again. */
export const SERVER_WITHIN = 10_000;

/** What a delivery needs of the provider. */
export interface Recipients {
  /** The client as it is registered now, or nothing where it is not any more. */
  find(clientId: string): Promise<Recipient | undefined>;
  /** Issues the tokens of an approval; `refused` says why where that will never be possible. */
  issue(grant: PushGrant): Promise<{ readonly tokens: TokenResponse } | { readonly refused: string }>;
  /**
   * Destroys tokens that were issued and did not reach the client, or were not acknowledged by it. Of a grant that was made for
   * them alone, everything is destroyed that the client may have made of them.
   */
  destroy(tokens: TokenResponse, grantId?: string): Promise<void>;
}
