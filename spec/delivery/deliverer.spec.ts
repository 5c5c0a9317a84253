import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Authority, makeAuthority, makeSelfSigned } from '../../example-app/fapi/certificates.js';
import { Bulkhead } from '../../lib/delivery/bulkhead.js';
import { Deliverer } from '../../lib/delivery/deliverer.js';
import { Deliveries } from '../../lib/delivery/deliveries.js';
import { type Answer, type Message, Outgoing } from '../../lib/delivery/outgoing.js';
import type { Recipient, Recipients, TokenResponse } from '../../lib/delivery/recipients.js';
import { Emitter } from '../../lib/emitter.js';
import type { CibaEventName, CibaEvents } from '../../lib/events.js';
import type { DeliveryOptions } from '../../lib/options.js';
import { settingsOf } from '../../lib/settings/settings.js';
import { MemoryStore } from '../../lib/store/memory.js';
import { TAKEN_FOR } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { Store, Verdict } from '../../lib/store/store.js';
import { type MovingClock, movingClock } from '../support/clock.js';
import { hang, type Receiver, reset, type Script, startReceiver, status } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';

const LIFETIME = 300_000;
const TOKENS: TokenResponse = { access_token: 'at', token_type: 'Bearer', id_token: 'a.b.c', expires_in: 60 };

/** Can wait less for an endpoint that hangs than the plugin does, and remembers how long it was to wait. */
class Hasty extends Outgoing {
  readonly within: number[] = [];
  limit = Number.POSITIVE_INFINITY;
  override post(endpoint: string, message: Message): Promise<Answer> {
    this.within.push(message.within);
    return super.post(endpoint, { ...message, within: Math.min(message.within, this.limit) });
  }
}

/** What a turn came to, and when the next one is. */
interface Step {
  /** Milliseconds since the decision. */
  readonly at: number;
  readonly outcome: string;
}

let authority: Authority;
let redis: TestRedis;

beforeAll(async () => {
  [authority, redis] = await Promise.all([makeAuthority(), startRedis()]);
});
afterAll(() => redis.stop());

describe.each(['memory', 'redis'] as const)('telling a client, on %s', (home) => {
  let clock: MovingClock;
  let store: Store;
  let receiver: Receiver;
  let outgoing: Hasty;
  let deliverer: Deliverer;
  let recipient: Recipient | undefined;
  let findRecipient: Recipients['find'];
  let events: Emitter;
  let issue: () => Promise<{ tokens: TokenResponse } | { refused: string }>;
  let issued: number;
  let destroyed: TokenResponse[];
  let heard: [name: CibaEventName, event: CibaEvents[CibaEventName]][];
  let decidedAt: number;

  /** A deliverer for the client at the receiver. */
  function deliver(mode: 'ping' | 'push', to: string = receiver.url, options: DeliveryOptions = {}): void {
    const { delivery: settings } = settingsOf({
      delivery: { allowLoopback: true, ca: authority.ca, ...options },
    });
    recipient = { mode, endpoint: to };
    const recipients: Recipients = {
      find: (clientId) => findRecipient(clientId),
      issue: async () => {
        issued += 1;
        return issue();
      },
      destroy: async (tokens) => void destroyed.push(tokens),
    };
    events = new Emitter();
    for (const name of [
      'delivery.delivered',
      'delivery.delayed',
      'delivery.failed',
      'delivery.error',
    ] as const)
      events.on(name, (event) => heard.push([name, event]));
    outgoing = new Hasty(settings);
    const { outbox } = store;
    deliverer = new Deliverer({
      outbox,
      outgoing,
      bulkhead: new Bulkhead(),
      recipients,
      events,
      settings,
      retention: 600_000,
    });
  }

  /** A request that was decided, and is due. */
  async function decided(
    mode: 'ping' | 'push',
    verdict: Verdict = 'approved',
    decision = {},
  ): Promise<string> {
    const handle = await pending(mode);
    await store.outbox.schedule(handle, 0);
    const accountId = verdict === 'cancelled' ? undefined : 'alice';
    const attempt = {
      handle,
      owner: { clientId: 'till', accountId: 'alice' },
      accountId,
      verdict,
      decision: JSON.stringify(decision),
      operation: randomUUID(),
    };
    await store.decide(attempt);
    decidedAt = clock.offset();
    return handle;
  }

  async function pending(mode: 'ping' | 'push', tellExpiry = false): Promise<string> {
    const handle = randomUUID();
    await store.create({
      handle,
      clientId: 'till',
      accountId: 'alice',
      lifetime: LIFETIME,
      retention: 600_000,
      interval: 5_000,
      payload: JSON.stringify({ model: { scope: 'openid' }, deliveryMode: mode }),
      limits: { cooldown: 0 },
      callback: JSON.stringify({
        authReqId: `id-${handle}`,
        token: `token-${handle}`,
        endpoint: recipient?.endpoint,
      }),
      tellExpiry,
    });
    return handle;
  }

  /** Takes the turn that is due now; undefined where none is. */
  async function turn(): Promise<string | undefined> {
    const [due] = await store.outbox.due(10);
    return due && deliverer.deliver(due.handle, due.turn);
  }

  /** Takes every turn to the end, moving the clock to each. */
  async function toTheEnd(handle: string): Promise<Step[]> {
    const steps: Step[] = [];
    for (;;) {
      const outcome = await turn();
      if (outcome === undefined) return steps;
      steps.push({ at: clock.offset() - decidedAt, outcome });
      const found = await store.outbox.find(handle);
      if (found?.state !== 'waiting') return steps;
      clock.advance(found.dueAt - (found.request.expiresAt - found.request.remaining) + 50);
    }
  }

  const bodies = (): string[] => receiver.received.map(({ body }) => body);
  const answering = (...scripts: Script[]): void => receiver.answer(...scripts);
  const names = (): string[] => heard.map(([name]) => name);

  /** Seconds between one attempt and the next. */
  const gaps = (): number[] =>
    heard
      .filter(([name]) => name === 'delivery.delayed')
      .map(([, event]) => (event as CibaEvents['delivery.delayed']).seconds);

  beforeEach(async () => {
    clock = movingClock();
    store =
      home === 'memory'
        ? new MemoryStore(clock.offset)
        : new RedisStore(redis.client(), randomUUID(), clock.offset, () => {});
    receiver = await startReceiver();
    [issued, destroyed, heard] = [0, [], []];
    issue = async () => ({ tokens: TOKENS });
    findRecipient = async () => recipient;
    deliver('ping');
  });

  afterEach(async () => {
    outgoing.close();
    await receiver.close();
    await store.close();
  });

  test('a ping holds the auth_req_id and the request’s own token, and nothing else [PING-2, PING-3, PRIV-5]', async () => {
    const [one, two] = [await decided('ping'), await decided('ping', 'denied')];
    for (const handle of [one, two]) await deliverer.deliver(handle, 1);
    expect(bodies()).toEqual([one, two].map((handle) => `{"auth_req_id":"id-${handle}"}`));
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual(
      [one, two].map((handle) => `Bearer token-${handle}`),
    );
    expect(receiver.received[0]?.headers['content-type']).toBe('application/json');
    expect(names()).toEqual(['delivery.delivered', 'delivery.delivered']);
  });

  test('500 ten times and then 204: growing waits, one body, one end [PING-4, PING-7]', async () => {
    answering(...Array.from({ length: 10 }, () => status(500)), status(204));
    const handle = await decided('ping');
    const steps = await toTheEnd(handle);
    expect(steps.map(({ outcome }) => outcome.replace(/in \d+ s/, 'later'))).toEqual([
      ...Array(10).fill('again later: 500'),
      'delivered',
    ]);
    expect(new Set(bodies()).size).toBe(1);
    expect(receiver.received).toHaveLength(11);
    const waits = [1, 2, 4, 8, 15, 30, 30, 30, 30, 30];
    expect(gaps()).toHaveLength(waits.length);
    gaps().forEach((gap, index) => {
      expect(gap).toBeGreaterThanOrEqual(0.8 * (waits[index] ?? 0));
      expect(gap).toBeLessThanOrEqual(1.2 * (waits[index] ?? 0));
    });
    expect(heard.at(-1)).toEqual([
      'delivery.delivered',
      expect.objectContaining({ attempts: 11, mode: 'ping' }),
    ]);
    expect(await turn()).toBeUndefined();
  });

  test('an endpoint that hangs is left after its time, and tried again [PING-7, PING-11]', async () => {
    answering(hang());
    outgoing.limit = 150;
    const handle = await decided('ping');
    expect(await turn()).toMatch(/^again in [12] s: timeout$/);
    clock.advance(2_000);
    expect(await turn()).toMatch(/^again in [23] s: timeout$/);
    outgoing.limit = Number.POSITIVE_INFINITY;
    answering(status(204));
    clock.advance(3_000);
    expect((await toTheEnd(handle)).map(({ outcome }) => outcome)).toEqual(['delivered']);
    expect(outgoing.within).toEqual([5_000, 5_000, 5_000]);
    deliver('push');
    await toTheEnd(await decided('push'));
    expect(outgoing.within).toEqual([10_000]);
  });

  test.each([301, 302, 307, 308, 400, 401, 403, 404, 405, 410])(
    '%i is final: one request, none to where it points, and the client polls [PING-5, PING-6]',
    async (code) => {
      const elsewhere = await startReceiver();
      answering(status(code, { location: elsewhere.url }));
      const handle = await decided('ping');
      expect(await toTheEnd(handle)).toEqual([{ at: expect.any(Number), outcome: 'given up' }]);
      clock.advance(TAKEN_FOR + 60_000);
      expect(await turn()).toBeUndefined();
      expect(receiver.received).toHaveLength(1);
      expect(elsewhere.connections).toBe(0);
      await elsewhere.close();
      expect(heard).toEqual([
        ['delivery.failed', { handle, clientId: 'till', mode: 'ping', attempts: 1, reason: String(code) }],
      ]);
      const poll = await store.poll({ handle, clientId: 'till', operation: randomUUID() });
      expect(poll.result).toBe('approved');
    },
  );

  test.each([408, 425, 500, 502, 503, 504])('%i is tried again [PING-7]', async (code) => {
    answering(status(code), status(204));
    const steps = await toTheEnd(await decided('ping'));
    expect(steps.map(({ outcome }) => outcome.split(' ')[0])).toEqual(['again', 'delivered']);
  });

  test('429 with Retry-After is tried again no sooner than it asks [PING-7]', async () => {
    answering(status(429, { 'retry-after': '20' }), status(429, { 'retry-after': '100000' }), status(204));
    await toTheEnd(await decided('ping'));
    const [first = 0, second = 0] = gaps();
    expect(first).toBeGreaterThanOrEqual(20);
    expect(first).toBeLessThanOrEqual(24);
    expect(second).toBeGreaterThanOrEqual(60);
    expect(second).toBeLessThanOrEqual(72);
  });

  test('200 with a body of 10 MB is delivered, and the body is not read to its end [PING-4]', async () => {
    let sent = 0;
    answering((response) => {
      response.writeHead(200, { 'content-length': 10_000_000 });
      const chunk = Buffer.alloc(100_000, 'x');
      const more = (): void => {
        if (response.destroyed || sent >= 10_000_000) return void response.end();
        sent += chunk.length;
        response.write(chunk, more);
      };
      more();
    });
    expect(await toTheEnd(await decided('ping'))).toEqual([{ at: expect.any(Number), outcome: 'delivered' }]);
    expect(sent).toBeLessThan(10_000_000);
  });

  test('a connection that is reset is tried again [PING-7]', async () => {
    answering(reset(), status(204));
    const steps = await toTheEnd(await decided('ping'));
    expect(steps.map(({ outcome }) => outcome)).toEqual([
      expect.stringMatching(/^again in [12] s: connection$/),
      'delivered',
    ]);
  });

  test('a certificate that is not trusted: nothing of the message leaves, and it is tried again [PING-1]', async () => {
    const untrusted = await startReceiver({ certificate: await makeSelfSigned() });
    deliver('ping', untrusted.url);
    await decided('ping');
    expect(await turn()).toMatch(/^again in [12] s: tls$/);
    expect(untrusted.received).toEqual([]);
    await untrusted.close();
    const trusted = await startReceiver({ certificate: await authority.issue(), port: untrusted.port });
    clock.advance(3_000);
    expect(await turn()).toBe('delivered');
    expect(trusted.received).toHaveLength(1);
    await trusted.close();
  });

  test('attempts end before the request does, and with the limit [PING-7]', async () => {
    answering(status(503));
    const steps = await toTheEnd(await decided('ping'));
    expect(steps.at(-1)?.outcome).toBe('given up');
    expect(steps.at(-1)?.at).toBeLessThan(LIFETIME - 1_000);
    expect(steps.length).toBeGreaterThan(8);
    deliver('ping', receiver.url, { attempts: 3 });
    const few = await toTheEnd(await decided('ping'));
    expect(few.map(({ outcome }) => outcome.split(' ')[0])).toEqual(['again', 'again', 'given']);
  });

  test('nothing is sent once the request has ended [PING-7, PING-8]', async () => {
    const late = await decided('ping');
    // What the client is told with ends with the request, by Redis' own clock.
    if (home === 'redis') await redis.client().del(...(await redis.client().keys(`*${late}*callback`)));
    clock.advance(LIFETIME);
    expect(await turn()).toBe('given up');
    expect(heard).toMatchObject([['delivery.failed', { handle: late, reason: 'expired' }]]);
    await pending('ping');
    clock.advance(LIFETIME);
    expect(await turn()).toBeUndefined();
    expect(receiver.received).toEqual([]);
  });

  test('an endpoint that is not allowed, and a client that is gone or told otherwise now, are given up [PING-11, SEC-9]', async () => {
    deliver('ping', 'https://169.254.169.254/latest');
    await decided('ping');
    expect(await turn()).toBe('given up');
    for (const now of [
      undefined,
      { mode: 'poll', endpoint: receiver.url },
      { mode: 'ping', endpoint: undefined },
    ]) {
      recipient = now as Recipient | undefined;
      await decided('ping');
      expect(await turn()).toBe('given up');
    }
    expect(receiver.received).toEqual([]);
    expect(heard.map(([, event]) => (event as { reason: string }).reason)).toEqual([
      'refused',
      'client_changed',
      'client_changed',
      'client_changed',
    ]);
  });

  test('a client whose endpoint was changed meanwhile is told at neither place [REG-27]', async () => {
    const elsewhere = await startReceiver();
    await decided('ping');
    recipient = { mode: 'ping', endpoint: elsewhere.url };
    expect(await turn()).toBe('given up');
    expect(receiver.connections + elsewhere.connections).toBe(0);
    expect(heard).toMatchObject([['delivery.failed', { reason: 'client_changed' }]]);
    await elsewhere.close();
  });

  test('a fault of the server is told to it, and to nobody who looks at the queue [SEC-11]', async () => {
    const handle = await decided('ping');
    const fault = new Error('no row has token-123');
    findRecipient = async () => Promise.reject(fault);
    await expect(deliverer.deliver(handle, 1)).rejects.toEqual(new Error('the turn met a fault'));
    expect(heard).toEqual([['delivery.error', { handle, cause: fault }]]);
    findRecipient = async () => recipient;
    expect(await deliverer.deliver(handle, 1)).toBe('delivered');
  });

  describe('a push', () => {
    beforeEach(() => deliver('push'));

    test('says the same each time: its tokens are issued once [PUSH-1, PUSH-7]', async () => {
      answering(status(500), reset(), status(200));
      const handle = await decided('push');
      await toTheEnd(handle);
      expect(issued).toBe(1);
      expect(bodies()).toEqual(Array(3).fill(JSON.stringify({ auth_req_id: `id-${handle}`, ...TOKENS })));
      expect(destroyed).toEqual([]);
      expect((await store.read(handle))?.status).toBe('delivered');
    });

    test('of two workers one issues what is said, the other destroys what it issued [PUSH-7]', async () => {
      const handle = await decided('push');
      let made = 0;
      issue = async () => {
        made += 1;
        const mine = `at-${made}`;
        if (mine === 'at-1') await deliverer.deliver(handle, 1);
        return { tokens: { ...TOKENS, access_token: mine } };
      };
      await deliverer.deliver(handle, 1);
      const told = bodies().map((body) => JSON.parse(body).access_token);
      expect(new Set(told).size).toBe(1);
      expect(issued).toBe(2);
      expect(destroyed.map(({ access_token: token }) => token)).toEqual(
        ['at-1', 'at-2'].filter((token) => token !== told[0]),
      );
    });

    test.each([302, 401])(
      'given up at %i: its tokens are revoked, nothing of it is left [PUSH-5, PUSH-8]',
      async (code) => {
        answering(status(code));
        const handle = await decided('push');
        expect((await toTheEnd(handle)).map(({ outcome }) => outcome)).toEqual(['given up']);
        expect(destroyed).toEqual([{ auth_req_id: `id-${handle}`, ...TOKENS }]);
        expect(await store.outbox.find(handle)).toMatchObject({
          state: 'failed',
          callback: undefined,
          body: undefined,
        });
        expect((await store.read(handle))?.status).toBe('undeliverable');
      },
    );

    test('a process that was slow to issue finds it given up, and ends what the other left [PUSH-8]', async () => {
      const handle = await decided('push');
      issue = async () => {
        await store.outbox.keepBody(handle, JSON.stringify({ access_token: 'first' }));
        const note = '{"last":"401"}';
        await store.outbox.end(handle, { state: 'failed', becomes: 'undeliverable', sent: true, note });
        return { tokens: { access_token: 'second' } };
      };
      expect(await turn()).toBe('given up');
      expect(destroyed).toEqual([{ access_token: 'second' }, { access_token: 'first' }]);
      expect(receiver.received).toEqual([]);
      expect((await store.outbox.list()).waiting).toEqual([]);
    });

    test('a process that wakes up late does not end what another goes on with [PUSH-7]', async () => {
      const handle = await decided('push');
      receiver.answer(async (response) => {
        await store.outbox.postpone(handle, { turn: 1, delay: 0, sent: true, note: '{"last":"timeout"}' });
        response.writeHead(401).end();
      }, status(204));
      expect(await turn()).toBe('superseded');
      expect(destroyed).toEqual([]);
      expect(await turn()).toBe('delivered');
    });

    test('a message that is too large to be sent is a failed transaction [PERR-4]', async () => {
      issue = async () => ({ tokens: { access_token: 'x'.repeat(300_000) } });
      await decided('push');
      expect(await turn()).toBe('delivered');
      expect(JSON.parse(bodies()[0] ?? '')).toMatchObject({ error: 'transaction_failed' });
      expect(destroyed).toHaveLength(1);
    });

    test('given up when time is up although no process was there: its tokens are revoked [PUSH-8]', async () => {
      answering(status(500));
      await decided('push');
      await turn();
      clock.advance(LIFETIME + 60_000);
      expect(await turn()).toBe('given up');
      expect(destroyed).toHaveLength(1);
      expect(receiver.received).toHaveLength(1);
    });

    test('a process that died while it gave up is followed by one that ends it [PUSH-8]', async () => {
      answering(status(500));
      const handle = await decided('push');
      await turn();
      const ending = {
        state: 'failed',
        becomes: 'undeliverable',
        sent: true,
        note: '{"last":"500"}',
      } as const;
      await store.outbox.end(handle, ending);
      clock.advance(3_000);
      expect(await turn()).toBe('given up');
      expect(destroyed).toHaveLength(1);
      expect(receiver.received).toHaveLength(1);
      clock.advance(TAKEN_FOR);
      expect(await turn()).toBeUndefined();
    });

    test.each<[string, Verdict, object, object]>([
      ['a denial', 'denied', {}, { error: 'access_denied' }],
      [
        'a denial with words',
        'denied',
        { error: 'access_denied', errorDescription: 'not "me"\\ — no' },
        { error: 'access_denied', error_description: "not 'me'? ? no" },
      ],
      [
        'a withdrawal',
        'cancelled',
        {},
        { error: 'access_denied', error_description: 'the request was cancelled' },
      ],
      ['another error', 'denied', { error: 'invalid_scope' }, { error: 'transaction_failed' }],
    ])('%s is told as such [PERR-1, PERR-2, PERR-4, PERR-5]', async (_, verdict, decision, told) => {
      const handle = await decided('push', verdict, decision);
      expect(await turn()).toBe('delivered');
      expect(JSON.parse(bodies()[0] ?? '')).toEqual({ auth_req_id: `id-${handle}`, ...told });
      expect(issued).toBe(0);
      expect((await store.read(handle))?.status).toBe(verdict);
    });

    test('tokens that the provider refuses to issue are a failed transaction, told once and for all [PERR-4, PERR-6]', async () => {
      issue = async () => ({ refused: 'the grant is gone' });
      answering(status(500), status(204));
      const handle = await decided('push');
      await toTheEnd(handle);
      const told = {
        auth_req_id: `id-${handle}`,
        error: 'transaction_failed',
        error_description: 'the grant is gone',
      };
      expect(bodies()).toEqual(Array(2).fill(JSON.stringify(told)));
      expect(issued).toBe(1);
    });

    test('a fault while tokens are issued may pass; one that stays is a failed transaction [PERR-4]', async () => {
      const fault = new Error('the adapter is away');
      let faults = 2;
      issue = async () => {
        faults -= 1;
        if (faults >= 0) throw fault;
        return { tokens: TOKENS };
      };
      await toTheEnd(await decided('push'));
      expect(JSON.parse(bodies()[0] ?? '')).toMatchObject(TOKENS);
      expect(names()).toEqual([
        'delivery.error',
        'delivery.delayed',
        'delivery.error',
        'delivery.delayed',
        'delivery.delivered',
      ]);
      faults = Number.POSITIVE_INFINITY;
      const steps = await toTheEnd(await decided('push'));
      expect(steps.length).toBeGreaterThan(8);
      expect(steps.at(-1)?.outcome).toBe('delivered');
      expect(JSON.parse(bodies()[1] ?? '')).toMatchObject({ error: 'transaction_failed' });
      expect(JSON.parse(bodies()[1] ?? '')).not.toHaveProperty('error_description');
    });
  });

  describe('an expiry', () => {
    test.each([
      ['ping', {}],
      ['push', { error: 'expired_token', error_description: 'the request has expired' }],
    ] as const)('is told by %s where that is wanted [PING-8, PERR-3]', async (mode, more) => {
      deliver(mode, receiver.url, { notifyExpiry: true });
      const handle = await pending(mode, true);
      expect(await turn()).toBeUndefined();
      clock.advance(LIFETIME);
      answering(status(500), status(204));
      decidedAt = clock.offset();
      const steps = await toTheEnd(handle);
      expect(steps.at(-1)?.outcome).toBe('delivered');
      expect(bodies()).toEqual(Array(2).fill(JSON.stringify({ auth_req_id: `id-${handle}`, ...more })));
    });

    test('a decision of which only the announcement came is looked at until the request ends', async () => {
      const handle = await pending('ping');
      await store.outbox.schedule(handle, 1_000);
      clock.advance(1_001);
      expect(await turn()).toBe('undecided');
      clock.advance(2_001);
      expect(await turn()).toBe('undecided');
      clock.advance(LIFETIME);
      expect(await turn()).toBe('over');
      clock.advance(TAKEN_FOR);
      expect(await turn()).toBeUndefined();
      expect(receiver.received).toEqual([]);
    });
  });

  describe('an operator', () => {
    const added: string[] = [];
    const queue = {
      add: async (handle: string, turn: number) => void added.push(await deliverer.deliver(handle, turn)),
      work: () => {},
      rest: async () => {},
      close: async () => {},
      free: 1,
    };

    test('sees what waits and what was given up, and can have a ping tried again', async () => {
      const deliveries = new Deliveries(store.outbox, () => queue, new Emitter());
      answering(status(503), status(401), status(204));
      const handle = await decided('ping');
      await turn();
      const [view] = await deliveries.list();
      expect(view).toMatchObject({
        handle,
        state: 'waiting',
        attempts: 1,
        last: '503',
        mode: 'ping',
        requestStatus: 'approved',
      });
      expect(view?.nextAttemptAt?.getTime()).toBeGreaterThan(Date.now());
      expect(JSON.stringify(view)).not.toMatch(/token-|id-/);
      await deliveries.retry(handle);
      expect(await deliveries.list({ state: 'failed' })).toMatchObject([
        { handle, attempts: 2, last: '401' },
      ]);
      expect(await deliveries.list({ state: 'waiting' })).toEqual([]);
      await deliveries.retry(handle);
      expect(added.at(-1)).toBe('delivered');
      expect(await deliveries.get(handle)).toMatchObject({ state: 'delivered', attempts: 3 });
      expect(await deliveries.list()).toEqual([]);
      await expect(deliveries.retry(handle)).rejects.toMatchObject({ code: 'not_deliverable' });
    });

    test('who has it tried again at once, when it is given up, does not lose it', async () => {
      answering(status(401), status(503));
      const deliveries = new Deliveries(
        store.outbox,
        () => ({ ...queue, add: async () => {} }),
        new Emitter(),
      );
      const handle = await decided('ping');
      let retried: Promise<void> | undefined;
      events.on('delivery.failed', () => {
        retried = deliveries.retry(handle);
      });
      expect(await turn()).toBe('given up');
      await retried;
      expect((await store.outbox.list()).waiting).toEqual([handle]);
      clock.advance(1_050);
      expect(await turn()).toMatch(/^again/);
    });

    test('who is refused a retry has changed nothing', async () => {
      const deliveries = new Deliveries(store.outbox, () => queue, new Emitter());
      const undecided = await pending('ping');
      await decided('ping');
      await turn();
      for (const handle of [undecided, 'nothing']) {
        await expect(deliveries.retry(handle)).rejects.toMatchObject({ code: 'not_deliverable' });
      }
      expect((await store.outbox.find(undecided))?.turn).toBe(1);
      expect(await store.outbox.list()).toEqual({ waiting: [], failed: [] });
    });

    test('cannot have a push tried again whose tokens are revoked [PUSH-8, PERR-6]', async () => {
      const deliveries = new Deliveries(store.outbox, () => queue, new Emitter());
      deliver('push');
      answering(status(401));
      const handle = await decided('push');
      await turn();
      expect(await deliveries.get(handle)).toMatchObject({ state: 'failed', requestStatus: 'undeliverable' });
      await expect(deliveries.retry(handle)).rejects.toMatchObject({ code: 'not_deliverable' });
      await expect(deliveries.retry('nothing')).rejects.toMatchObject({ code: 'not_deliverable' });
    });
  });
});
