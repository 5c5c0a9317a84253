import { hash } from 'node:crypto';
import type { Owner } from './store.js';

/** The key of a request. */
export const requestKey = (prefix: string, handle: string): string => `${prefix}:{${handle}}`;

/** The key of what its client is told with: in the same slot, and with a life of its own, because it is secret. */
export const callbackKey = (prefix: string, handle: string): string => `${prefix}:{${handle}}:callback`;

/** The key of the index of requests whose clients are told. */
export const deliveriesKey = (prefix: string): string => `${prefix}:deliveries`;

/** The key of the index of requests whose people are prompted. */
export const promptsKey = (prefix: string): string => `${prefix}:prompts`;

/** The key of an account's pending requests. */
export const accountKey = (prefix: string, accountId: string): string =>
  `${prefix}:account:{${digest(accountId)}}`;

/** Where a request takes places. */
export interface PlaceKeys {
  /** The client's digest, by which its places among those of the account are known. */
  readonly client: string;
  /** The account's pending requests, and what it refused the client: in one slot. */
  readonly account: readonly [index: string, refused: string];
  /** The client's pending requests. */
  readonly ofClient: string;
}

export function placeKeys(prefix: string, { clientId, accountId }: Owner): PlaceKeys {
  const client = digest(clientId);
  const index = accountKey(prefix, accountId);
  return {
    client,
    account: [index, `${index}:refused:${client}`],
    ofClient: `${prefix}:client:{${client}}`,
  };
}

/** Hashed, so that no name can steer a key or be read from one; 132 bits: two names for one are found by no chance, and would share a limit. */
export const digest = (name: string): string => hash('sha256', name, 'base64url').slice(0, 22);
