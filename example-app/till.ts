import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { people, personById } from './accounts.js';
import { type Awaited, callbackRoutes } from './callbacks.js';
import type { Till } from './clients.js';
import { field, handled, jsonBody } from './http.js';
import { type LiveStream, openStream } from './live-stream.js';
import { PAYMENTS_API } from './payments.js';
import { Sale } from './sale.js';
import type { Settings } from './settings.js';
import type { TillClient } from './till-client.js';

/** How long a finished sale can still be looked at, in milliseconds. */
const KEPT = 10 * 60_000;

const OFFERED_SCOPES: readonly unknown[] = ['profile', 'offline_access'];

/** The parts of the till. */
export interface TillParts {
  /** The clients that the till is. */
  readonly clients: Readonly<Record<Till, TillClient>>;
  readonly callbacks: Settings['callbacks'];
  /** Where the queue of deliveries can be looked at. */
  readonly queue: string | undefined;
  /** Where people's mail can be read. */
  readonly mailbox: string | undefined;
  /** Shows how the person of a request is reached, until the stream is over. No client may see that: this page stands beside the server. */
  readonly watch: (authReqId: string, stream: LiveStream) => void;
  readonly serverStops: AbortSignal;
}

/** A request of the till's. */
interface Asked {
  readonly sale: Sale;
  readonly client: TillClient;
  readonly authReqId: string;
}

/**
 * What the till page calls, and what the identity server does. It is the backend that speaks to the server: the page sees no
 * secret and no `auth_req_id`.
 */
export function tillRoutes({ clients, callbacks, queue, mailbox, watch, serverStops }: TillParts): Router {
  const router = Router();
  const sales = new Map<string, Asked>();
  const awaited = new Map<string, Awaited>();
  serverStops.addEventListener('abort', () => {
    for (const { sale } of sales.values()) sale.stop('failed', 'the till was switched off');
  });

  router.get('/till/setup', (_req, res) => {
    res.json({ people, callbacks, queue, mailbox });
  });

  router.post(
    '/till/ask',
    jsonBody,
    handled(async (req, res) => {
      const order = orderIn(req);
      if (typeof order === 'string') {
        res.status(400).json({ error: 'invalid_request', error_description: order });
        return;
      }
      const till = tillIn(req);
      const mode = till === 'number' ? 'poll' : till;
      const client = clients[till];
      // Fresh for each sale: it proves that a call is the server's, and about this request.
      const token = randomBytes(32).toString('base64url');
      const { status, body } = await client.ask(
        mode === 'poll' ? order : { ...order, client_notification_token: token },
      );
      if (status !== 200) {
        res.status(status).json(body);
        return;
      }
      const authReqId = String(body['auth_req_id']);
      const expiresIn = Number(body['expires_in']);
      const interval = Number(body['interval'] ?? 5);
      const sale = new Sale(client, { mode, authReqId, expiresIn, interval });
      const id = randomUUID();
      sales.set(id, { sale, client, authReqId });
      if (mode !== 'poll') awaited.set(authReqId, { mode, token, hear: (callback) => sale.hear(callback) });
      setTimeout(
        () => {
          sales.delete(id);
          awaited.delete(authReqId);
        },
        expiresIn * 1000 + KEPT,
      ).unref();
      sale.begin();
      const { binding_message: bindingMessage, login_hint: who } = order;
      res.json({ sale: id, who, mode, bindingMessage, number: body['matching_number'], expiresIn });
    }),
  );

  router.get('/till/events', (req, res) => {
    const found = saleOf(req.query['sale'], res);
    if (!found) return;
    const stream = openStream(res, serverStops);
    stream.over.addEventListener(
      'abort',
      found.sale.listen(({ event, data }) => stream.send(event, data)),
    );
  });

  router.get('/till/reach', (req, res) => {
    const found = saleOf(req.query['sale'], res);
    if (found) watch(found.authReqId, openStream(res, serverStops));
  });

  router.post(
    '/till/cancel',
    jsonBody,
    handled(async (req, res) => {
      const found = saleOf(field(req, 'sale'), res);
      if (!found) return;
      const { status, body } = await found.client.cancel(found.authReqId);
      if (status >= 300) {
        res.status(status).json(body);
        return;
      }
      found.sale.stop('cancelled');
      res.status(204).end();
    }),
  );

  function saleOf(id: unknown, res: Response): Asked | undefined {
    const found = sales.get(String(id));
    if (!found) res.status(404).json({ error: 'not_found', error_description: 'there is no such sale' });
    return found;
  }

  router.use(callbackRoutes(awaited));
  return router;
}

/** The till that the page's order chose: the one with a number polls. */
function tillIn(req: Request): Till {
  const mode = field(req, 'mode');
  if (field(req, 'number') === true) return 'number';
  return mode === 'ping' || mode === 'push' ? mode : 'poll';
}

/** The request to the server that the page's order makes, or a sentence about what is wrong with it. */
function orderIn(req: Request): Record<string, string> | string {
  const person = personById(field(req, 'who'));
  const amount = /^(\d{1,5})(?:[.,](\d{1,2}))?$/.exec(String(field(req, 'amount') ?? '').trim());
  const text = String(field(req, 'text') ?? '').trim();
  const scopes = field(req, 'scopes');
  if (!person) return `choose one of ${people.map(({ name }) => name).join(', ')}`;
  if (!amount || Number(`${amount[1]}.${amount[2] ?? 0}`) === 0)
    return 'the amount must be a number such as 12.50';
  if (text.length < 1 || text.length > 28) return 'the place must have 1 to 28 characters';
  const chosen = OFFERED_SCOPES.filter((scope) => Array.isArray(scopes) && scopes.includes(scope));
  const euros = `${Number(amount[1])}.${(amount[2] ?? '').padEnd(2, '0')}`;
  return {
    login_hint: person.id,
    scope: ['openid', ...chosen].join(' '),
    binding_message: `Pay ${euros} EUR, ${text}, code ${code()}`,
    resource: PAYMENTS_API,
    authorization_details: JSON.stringify([
      { type: 'payment', amount: euros, currency: 'EUR', payee: 'Corner shop' },
    ]),
  };
}

/** Four characters that nobody mistakes for others, so that both screens can be compared at a glance. */
function code(): string {
  const characters = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
  return Array.from({ length: 4 }, () => characters[randomInt(characters.length)]).join('');
}
