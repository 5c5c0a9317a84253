import type { JsonWebKey } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Endpoints } from './clients.js';

/** Which server it is. */
export type ContenderKind = 'plugin' | 'accelerated' | 'native' | 'floor' | 'holding';

/** What a server is started with. */
export interface ContenderSpec {
  readonly kind: ContenderKind;
  readonly redisPort: number;
  /** The public key of the clients that sign assertions. */
  readonly assertionKey: JsonWebKey;
  /** Left out where nobody is pinged. */
  readonly endpoints?: Endpoints | undefined;
  /** Whether polls may be held. */
  readonly longPolling?: boolean | undefined;
  /** Whether it tells ping clients from its start on. Default `true`. */
  readonly worker?: boolean | undefined;
}

/** A server that takes part. */
export interface Contender {
  readonly listener: RequestListener;
  /** How many polls have been held so far. */
  held?(): number;
  /** Begins to tell ping clients. */
  work?(): void;
}
