import { hash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Client } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import { deliveryModeOf } from './client-endpoint.js';
import { isCompat } from './compat.js';
import { waitOf } from './long-polling.js';

/** How many credentials, and how many places of the token endpoint, are known at a time. */
const MOST = 10_000;
const MOST_PLACES = 16;

/** Methods whose credentials are the same with every request. */
const STATIC: ReadonlySet<unknown> = new Set(['client_secret_basic', 'client_secret_post']);

/** Whose credentials they are. */
export interface KnownClient {
  readonly clientId: string;
  /** How long this client's polls are held where it says nothing else, in seconds. */
  readonly wait: number;
}

/** What a poll came with. */
interface Shown {
  readonly digest: string;
  readonly authorization: string | undefined;
  readonly place: string;
}

/**
 * Static credentials of pollers that the provider has checked lately. They are held as a digest under a key of this process, for a bounded
 * time, and open nothing: whoever shows them again hears that a request is still pending.
 */
export class KnownCredentials {
  readonly #settings: Settings;
  readonly #key = `${randomUUID()}${randomUUID()}`;
  readonly #known = new Map<string, KnownClient & { readonly until: number }>();
  readonly #shown = new WeakMap<IncomingMessage, Shown>();
  readonly #places = new Set<string>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** What stands for the credentials that a poll comes with. */
  digestOf(authorization: string, inBody: string): string {
    // Not a MAC: nobody ever sees what comes out.
    return hash('sha256', `${this.#key}\n${authorization}\n${inBody}`, 'base64');
  }

  /** Whether polls have come to this URL before. */
  isPlace(url: string): boolean {
    return this.#places.has(url);
  }

  /** Whose credentials these are, where they were checked lately. */
  find(digest: string): KnownClient | undefined {
    const known = this.#known.get(digest);
    if (!known || known.until > this.#now()) return known;
    this.#known.delete(digest);
    return undefined;
  }

  /** Takes down what a request shows, before it goes on to the provider. */
  note(req: IncomingMessage, digest: string, place: string): void {
    this.#shown.set(req, { digest, authorization: req.headers.authorization, place });
  }

  /** Called once the provider has authenticated the client of a poll, before the poll is held. */
  learn(req: IncomingMessage, client: Client): void {
    const shown = this.#shown.get(req);
    // Where the server's own code has put another header there, the client has not shown it.
    if (!shown || shown.authorization !== req.headers.authorization || !this.#isPlain(client)) return;
    const { rememberCredentials } = this.#settings;
    const expiry = Number(client['clientSecretExpiresAt'] ?? 0) * 1000;
    const left = expiry === 0 ? Number.POSITIVE_INFINITY : expiry - Date.now();
    const until = this.#now() + Math.min(rememberCredentials * 1000, left);
    const wait = waitOf(client, this.#settings);
    this.#known.delete(shown.digest);
    this.#known.set(shown.digest, { clientId: String(client.clientId), wait, until });
    if (this.#known.size > MOST) deleteFirst(this.#known);
    this.#places.add(shown.place);
    if (this.#places.size > MOST_PLACES) deleteFirst(this.#places);
  }

  /** Whether nothing but its secret is looked at when this client polls. */
  #isPlain(client: Client): boolean {
    return (
      STATIC.has(client.clientAuthMethod) &&
      !client.dpopBoundAccessTokens &&
      !client.tlsClientCertificateBoundAccessTokens &&
      deliveryModeOf(client) !== 'push' &&
      !isCompat(client, this.#settings)
    );
  }

  #now(): number {
    return performance.now() + this.#settings.timeOffset();
  }
}

function deleteFirst(from: Map<string, unknown> | Set<string>): void {
  const [first] = from.keys();
  if (first !== undefined) from.delete(first);
}
