import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { errors } from 'oidc-provider';
import { FORM } from '../provider/form-body.js';
import type { KnownCredentials } from '../provider/known-credentials.js';
import { holdOf } from '../provider/long-polling.js';
import { handleOf } from '../request/handle.js';
import type { Polls } from '../request/polls.js';
import type { UnderWay } from '../request/under-way.js';
import type { Settings } from '../settings/settings.js';
import { plainPollOf } from './plain-poll.js';
import { finish, giveBack, takeBody } from './taken-body.js';

/** What the gate is made of. */
export interface GateParts {
  readonly polls: Polls;
  readonly credentials: KnownCredentials;
  readonly settings: Settings;
  readonly underWay: UnderWay;
}

/** The largest body that is looked at, in bytes: hardly a poll with a secret is longer, or one with an assertion shorter. */
const LARGEST = 480;

/** Headers of requests that are more than a poll of a client with a secret. */
const UNUSUAL = [
  'dpop',
  'origin',
  'expect',
  'transfer-encoding',
  'content-encoding',
  'oauth-client-attestation',
  'oauth-client-attestation-pop',
] as const;

/**
 * Answers the polls that repeat an earlier one, while their request is pending: the client's credentials, which the provider has checked
 * lately, are known, and the store is asked by the same one step. All else, whatever it is, goes down the whole road, with its bytes where they
 * were.
 */
export class TokenGate {
  readonly #parts: GateParts;
  /** What the gate has let pass: where it stands in front of the app, the router need not look again. */
  readonly #passed = new WeakSet<IncomingMessage>();

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** For the router, at the token endpoint. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const { originalUrl: url } = req;
    if (this.#passed.has(req) || !isPlain(req)) next();
    else this.#answer(req, res, url, next);
  };

  /** For a server, in front of its whole app. */
  accelerate(listener: RequestListener): RequestListener {
    const { credentials } = this.#parts;
    return (req, res) => {
      const { url = '' } = req;
      if (!credentials.isPlace(url) || !isPlain(req)) listener(req, res);
      else this.#answer(req, res, url, () => listener(req, res));
    };
  }

  /** Without async functions: their promises would cost as much as all else that is done here. */
  #answer(req: IncomingMessage, res: ServerResponse, url: string, goOn: () => void): void {
    const { polls, credentials, settings, underWay } = this.#parts;
    takeBody(req, Number(req.headers['content-length']), (body) => {
      underWay.begin();
      const poll = body && plainPollOf(body.toString('latin1'));
      const { authorization } = req.headers;
      // Whoever shows no secret of their own is not known by what they show.
      const shows = authorization !== undefined || poll?.credentials.includes('client_secret=');
      const digest = poll && shows && credentials.digestOf(authorization ?? '', poll.credentials);
      const client = digest && credentials.find(digest);
      const leave = (): void => {
        if (!req.destroyed) {
          if (digest) credentials.note(req, digest, url);
          this.#passed.add(req);
          if (body) giveBack(req, body);
          goOn();
        } else polls.drop(res);
        // Not before: by now the provider counts it.
        underWay.end();
      };
      if (!client) return leave();
      const { clientId, wait } = client;
      const handle = handleOf(poll.authReqId);
      polls.poll(handle, clientId, holdOf(req.headers, wait, res, settings)).then(
        (found) => {
          if (found.result !== 'pending' && found.result !== 'slow_down') {
            polls.passOn(res, { handle, clientId, found });
            return leave();
          }
          underWay.end();
          finish(req);
          if (!res.destroyed && !res.headersSent) send(res, found.result, found.wait);
        },
        // A store that does not answer is told by the provider's road, which asks it as the same poll.
        leave,
      );
    });
  }
}

function isPlain({ method, headers, readable, readableFlowing }: IncomingMessage): boolean {
  const length = Number(headers['content-length']);
  return (
    method === 'POST' &&
    // Nobody in front has read the body, or is about to.
    readable &&
    readableFlowing !== true &&
    length > 0 &&
    length <= LARGEST &&
    FORM.test(headers['content-type'] ?? '') &&
    UNUSUAL.every((name) => headers[name] === undefined)
  );
}

const ANSWERS = {
  pending: bodyOf(new errors.AuthorizationPending()),
  slow_down: bodyOf(new errors.SlowDown()),
};

function bodyOf({ error, error_description }: errors.OIDCProviderError): string {
  return JSON.stringify({ error, error_description });
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
