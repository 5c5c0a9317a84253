import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { errors } from 'oidc-provider';
import type { KnownClient, KnownCredentials } from '../provider/known-credentials.js';
import { holdOf } from '../provider/long-polling.js';
import { handleOf } from '../request/handle.js';
import type { PollResult, Polls } from '../request/polls.js';
import type { Settings } from '../settings.js';
import { type PlainPoll, plainPollOf } from './plain-poll.js';
import { finish, giveBack, takeBody } from './taken-body.js';

/** What the gate is made of. */
export interface GateParts {
  readonly polls: Polls;
  readonly credentials: KnownCredentials;
  readonly settings: Settings;
}

/** The largest body that is looked at, in bytes: a poll is not longer. */
const LARGEST = 2_048;

const FORM = /^application\/x-www-form-urlencoded *(; *charset="?utf-8"?)?$/i;

/** Headers of requests that are more than a poll of a client with a secret. */
const UNUSUAL = [
  'dpop',
  'origin',
  'expect',
  'transfer-encoding',
  'content-encoding',
  'oauth-client-attestation',
] as const;

/**
 * Answers the polls that repeat an earlier one, while their request is pending: the client's credentials, which the provider has checked
 * lately, are known, and the store is asked by the same one step. All else, whatever it is, goes down the whole road, with its bytes where they
 * were.
 */
export class TokenGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** For the router, at the token endpoint. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const { originalUrl: url } = req;
    if (this.#parts.credentials.isNoted(req) || url.includes('?') || !isPlain(req)) next();
    else this.#answer(req, res, url).then((answered) => answered || next(), next);
  };

  /** For a server, in front of its whole app. */
  accelerate(listener: RequestListener): RequestListener {
    const { credentials } = this.#parts;
    return (req, res) => {
      const { url = '' } = req;
      if (!credentials.isPlace(url) || !isPlain(req)) listener(req, res);
      else {
        this.#answer(req, res, url).then(
          (answered) => answered || listener(req, res),
          () => listener(req, res),
        );
      }
    };
  }

  /** Whether the request was answered, or there is nobody left to answer. */
  async #answer(req: IncomingMessage, res: ServerResponse, url: string): Promise<boolean> {
    const body = await takeBody(req, Number(req.headers['content-length']));
    if (body === undefined) return true;
    const poll = plainPollOf(body.toString('latin1'));
    const found = poll && (await this.#poll(req, res, url, poll));
    if (found?.result === 'pending' || found?.result === 'slow_down') {
      finish(req);
      if (!res.destroyed) send(res, found.result, found.wait);
      return true;
    }
    giveBack(req, body);
    return false;
  }

  async #poll(
    req: IncomingMessage,
    res: ServerResponse,
    url: string,
    { authReqId, credentials }: PlainPoll,
  ): Promise<PollResult | undefined> {
    const known = this.#parts.credentials;
    const digest = known.digestOf(req.headers.authorization ?? '', credentials);
    known.note(req, digest, url);
    const client = known.find(digest);
    return client && this.#ask(req, res, authReqId, client);
  }

  /** A store that does not answer is told by the provider's road, which asks it as the same poll. */
  async #ask(
    { headers }: IncomingMessage,
    res: ServerResponse,
    authReqId: string,
    { clientId, wait }: KnownClient,
  ): Promise<PollResult | undefined> {
    const { polls, settings } = this.#parts;
    const hold = holdOf(headers, wait, res, settings);
    return polls.poll(handleOf(authReqId), clientId, hold).catch(() => undefined);
  }
}

function isPlain({ method, headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length']);
  return (
    method === 'POST' &&
    length > 0 &&
    length <= LARGEST &&
    FORM.test(headers['content-type'] ?? '') &&
    UNUSUAL.every((name) => headers[name] === undefined)
  );
}

const ANSWERS = {
  pending: bytesOf(new errors.AuthorizationPending()),
  slow_down: bytesOf(new errors.SlowDown()),
};

function bytesOf({ error, error_description }: errors.OIDCProviderError): Buffer {
  return Buffer.from(JSON.stringify({ error, error_description }));
}

/** As the provider answers (RFC 6749 5.2). */
function send(res: ServerResponse, result: 'pending' | 'slow_down', wait: number): void {
  const body = ANSWERS[result];
  res.writeHead(400, {
    'Cache-Control': 'no-store',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Retry-After': Math.ceil(wait / 1000),
  });
  res.end(body);
}
