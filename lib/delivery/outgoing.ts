import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { DeliverySettings } from '../settings/delivery.js';
import { isAllowedAddress, isLoopback } from './addresses.js';
import {
  type EndpointRules,
  endpointProblem,
  hostOf,
  isLoopbackHost,
  NOT_PUBLIC,
  portOf,
} from './endpoint.js';
import { type Lookup, lookupOver } from './lookup.js';

/** What became of one message. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** What a `Retry-After` asks for, in seconds from now. */
      readonly retryAfter: number | undefined;
    }
  | {
      readonly kind: 'failed';
      readonly reason: 'timeout' | 'connection' | 'tls' | 'dns';
      /** The error's code, for a log. */
      readonly detail: string;
    }
  /** Never sent: the endpoint, or the address that its name leads to, is not allowed. The reason goes after the endpoint's name. */
  | { readonly kind: 'refused'; readonly reason: string };

/** An answer in a word: its status code, or why there is none. */
export const reasonOf = (answer: Answer): string =>
  answer.kind === 'answered' ? String(answer.status) : answer.kind === 'failed' ? answer.reason : 'refused';

/** RFC 9525 2, 4.1: a certificate names its server in its alternative names; Node also takes the common name where it has none. */
function checkNames(host: string, certificate: PeerCertificate): Error | undefined {
  if (!certificate.subjectaltname) return new Error('the certificate has no alternative names');
  return checkServerIdentity(host, certificate);
}

/** What is posted. */
export interface Message {
  /** The bearer token to send, such as a client's notification token. Default: none. */
  readonly bearer?: string | undefined;
  /** Further headers, by their names in lower case. Default `content-type: application/json`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string | Uint8Array;
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined;
  /** How long the answer may take in all, in milliseconds. */
  readonly within: number;
}

/** What decides where a message may go, and which certificates are trusted there. */
export type OutgoingRules = EndpointRules & Pick<DeliverySettings, 'ca'>;

/** What a spec may replace. */
export interface OutgoingParts {
  /** Default: the name servers that the system is set up with. */
  readonly lookup?: Lookup;
  /** How long looking up, connecting and the TLS handshake may take together, in milliseconds. Default 2000. */
  readonly connectWithin?: number;
}

const CONNECT_WITHIN = 2_000;

/** How long an answer's body is still read, so that its sender sees no broken connection, in milliseconds and bytes. */
const DRAIN_WITHIN = 500;
const DRAIN_AT_MOST = 64 * 1024;

/** A connection is used once; of several addresses the next is tried when one does not answer for half a second. */
const ONCE = {
  keepAlive: false,
  maxCachedSessions: 0,
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: 500,
} as const;

/** How many 1xx answers may come before the answer. */
const EARLY_AT_MOST = 16;

/** The largest body that is sent, in bytes. */
export const LARGEST_BODY: number = 256 * 1024;
const LARGEST_HEADER = 16 * 1024;
const LONGEST_RETRY_AFTER = 86_400;

/** Our own way of ending a request, with the answer that stands for it. */
class Ended extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(answer.kind);
    this.answer = answer;
  }
}

/**
 * Posts messages to clients' notification endpoints (CIBA Core 10.2, 10.3.1) and to where channels reach people: over verified TLS, to public
 * addresses, on a connection of its own each time, bounded in time and size. Nothing that the process sets globally has a say:
 * no agent, no dispatcher, no proxy, no `NODE_TLS_REJECT_UNAUTHORIZED`.
 */
export class Outgoing {
  readonly #rules: OutgoingRules;
  readonly #lookup: Lookup;
  readonly #connectWithin: number;
  readonly #underWay = new Set<ClientRequest>();
  #closed = false;

  constructor(rules: OutgoingRules, parts: OutgoingParts = {}) {
    this.#rules = rules;
    this.#lookup = parts.lookup ?? lookupOver();
    this.#connectWithin = parts.connectWithin ?? CONNECT_WITHIN;
  }

  /**
   * Posts a message. The endpoint is judged again, whatever judged it before.
   * @throws {RangeError} where the body is larger than 256 KiB
   */
  async post(endpoint: string, message: Message): Promise<Answer> {
    const body = Buffer.from(message.body as string);
    if (body.length > LARGEST_BODY) throw new RangeError(`the body must not exceed ${LARGEST_BODY} bytes`);
    if (this.#closed) return failed('connection', 'closed');
    const problem = endpointProblem(endpoint, this.#rules);
    if (problem) return { kind: 'refused', reason: problem };
    return this.#exchange(new URL(endpoint), body, message);
  }

  /** Ends what is under way, and sends nothing from now on. */
  close(): void {
    this.#closed = true;
    for (const request of this.#underWay) request.destroy(new Ended(failed('connection', 'closed')));
  }

  #exchange(url: URL, body: Buffer, { bearer, headers, within, signal }: Message): Promise<Answer> {
    return new Promise((resolve) => {
      const secure = url.protocol === 'https:';
      const over = new AbortController();
      const request = (secure ? httpsRequest : httpRequest)({
        ...this.#connection(url, secure, over.signal),
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        headers: {
          host: url.host.replace(/\.(?=:|$)/, ''),
          'content-type': 'application/json',
          'content-length': body.length,
          ...headers,
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
          connection: 'close',
        },
      });
      const endAfter = (ms: number): NodeJS.Timeout =>
        setTimeout(() => request.destroy(new Ended(failed('timeout', `${ms} ms`))), ms);
      const timers = [endAfter(within)];
      const connecting = endAfter(this.#connectWithin);
      let shakingHands = false;

      const abort = (): void => {
        request.destroy(new Ended(failed('timeout', 'aborted')));
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();

      this.#underWay.add(request);
      request.once('socket', (socket: Socket) => {
        socket.prependOnceListener('connect', () => {
          shakingHands = secure;
          const allowed = isAllowedAddress(socket.remoteAddress ?? '', this.#rules);
          if (!allowed) request.destroy(new Ended({ kind: 'refused', reason: NOT_PUBLIC }));
        });
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          shakingHands = false;
          clearTimeout(connecting);
        });
      });
      let early = 0;
      request.on('information', () => {
        early += 1;
        if (early > EARLY_AT_MOST) request.destroy(new Ended(failed('connection', 'too many 1xx answers')));
      });
      request.once('response', (response) => {
        resolve(answerOf(response));
        timers.push(endAfter(DRAIN_WITHIN));
        drain(response);
      });
      // These two stay to the end: what goes wrong after the answer has come changes nothing, and is nobody else's to hear.
      request.on('error', (error) => resolve(failureOf(error, shakingHands)));
      request.on('close', () => {
        for (const timer of [connecting, ...timers]) clearTimeout(timer);
        this.#underWay.delete(request);
        signal?.removeEventListener('abort', abort);
        over.abort();
        resolve(failed('connection', 'closed'));
      });
      request.end(body);
    });
  }

  /** Everything about the connection is said here, so that no default of the process is asked. */
  #connection(url: URL, secure: boolean, over: AbortSignal): RequestOptions {
    const host = hostOf(url);
    const { ca } = this.#rules;
    return {
      protocol: url.protocol,
      host,
      port: portOf(url),
      lookup: this.#checkedLookup(host, over),
      agent: secure ? new HttpsAgent(ONCE) : new HttpAgent(ONCE),
      maxHeaderSize: LARGEST_HEADER,
      insecureHTTPParser: false,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      servername: isIP(host) ? '' : host,
      checkServerIdentity: checkNames,
      ...(ca !== undefined && { ca: typeof ca === 'string' ? ca : [...ca] }),
    };
  }

  /**
   * Looks up once and hands on what was checked, so that no second answer of the DNS can change where the connection goes. One
   * forbidden address refuses all of them: which one is tried first is not ours to say.
   */
  #checkedLookup(host: string, over: AbortSignal): LookupFunction {
    const allows = (address: string): boolean =>
      isAllowedAddress(address, this.#rules) && (!isLoopbackHost(host) || isLoopback(address));
    return (hostname, _options, callback) => {
      this.#lookup(hostname, over).then(
        (found) => {
          const addresses = found.map(({ address }) => ({ address, family: isIP(address) }));
          if (addresses.length === 0) callback(new Ended(failed('dns', 'ENODATA')), []);
          else if (addresses.every(({ address }) => allows(address))) callback(null, addresses);
          else callback(new Ended({ kind: 'refused', reason: NOT_PUBLIC }), []);
        },
        (error: unknown) => callback(new Ended(failed('dns', codeOf(error))), []),
      );
    };
  }
}

function answerOf({ statusCode = 0, headers }: IncomingMessage): Answer {
  return { kind: 'answered', status: statusCode, retryAfter: secondsOf(headers['retry-after']) };
}

/** Seconds, or an HTTP date (RFC 9110, 10.2.3). */
function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(retryAfter)
      ? Math.ceil((Date.parse(retryAfter) - Date.now()) / 1000)
      : Number.NaN;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER);
}

/** Reads the body, a part of it if it is long, and ends the connection. */
function drain(response: IncomingMessage): void {
  let read = 0;
  response.on('error', () => {});
  response.on('end', () => response.destroy());
  response.on('data', (bytes: Buffer) => {
    read += bytes.length;
    if (read >= DRAIN_AT_MOST) response.destroy();
  });
}

function failureOf(error: Error, shakingHands: boolean): Answer {
  if (error instanceof Ended) return error.answer;
  const code = codeOf(error);
  const ofSystem = /^E[A-Z0-9]+$/.test(code);
  const ofTls = /^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code) || (shakingHands && !ofSystem);
  return failed(ofTls ? 'tls' : 'connection', code);
}

function failed(reason: Extract<Answer, { kind: 'failed' }>['reason'], detail: string): Answer {
  return { kind: 'failed', reason, detail };
}

/** The code and never the message, which could hold what is secret. */
function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'unknown';
}
