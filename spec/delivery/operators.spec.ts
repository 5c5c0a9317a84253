import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ClientMetadata } from 'oidc-provider';
import type { DeliveryView } from 'oidc-provider-ciba';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { type Receiver, reset, type Script, startReceiver, status } from '../support/receiver.js';
import { asked, introspect, type PluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

/** So late that it does not come by itself while a test looks. */
const later = (code: number): Script => status(code, { 'retry-after': '60' });

onEveryStore('what an operator sees and does', (make) => {
  let receiver: Receiver;
  let server: PluginServer;
  let secrets: string[];

  beforeEach(async () => {
    receiver = await startReceiver();
    secrets = [];
    const told = (id: string, mode: string): ClientMetadata =>
      pollClient(id, {
        backchannel_token_delivery_mode: mode as 'ping',
        backchannel_client_notification_endpoint: receiver.url,
      });
    server = make({
      config: { clients: [pollClient('till'), told('pinged', 'ping'), told('pushed', 'push')] },
      hooks: { deliveryModes: ['poll', 'ping', 'push'] },
      ciba: { delivery: { allowLoopback: true, attempts: 3 } },
    });
  });
  afterEach(() => receiver.close());

  async function askedBy(client: string): Promise<string> {
    const token = randomBytes(16).toString('base64url');
    const scope = 'openid offline_access';
    const authReqId = await asked(server, { client_notification_token: token, scope }, { client });
    secrets.push(token, authReqId);
    return authReqId;
  }
  /** Decided, while the client answers like this. */
  async function decided(client: string, ...answers: readonly Script[]): Promise<string> {
    receiver.answer(...answers);
    const authReqId = await askedBy(client);
    await server.approve(authReqId);
    return authReqId;
  }
  const handleOf = (authReqId: string): string => server.ciba.requests.handleOf(authReqId);
  const get = (authReqId: string): Promise<DeliveryView | undefined> =>
    server.ciba.deliveries.get(handleOf(authReqId));
  const retry = (authReqId: string): Promise<void> => server.ciba.deliveries.retry(handleOf(authReqId));
  const codeOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (error: { code: unknown }) => error.code,
    );
  const listed = async (state?: 'waiting' | 'failed'): Promise<(string | undefined)[]> =>
    (await server.ciba.deliveries.list({ state })).map(({ handle }) => handle);
  const reaches = (authReqId: string, wanted: Partial<DeliveryView>): Promise<void> =>
    until(`it reaches ${JSON.stringify(wanted)}`, async () => {
      const view = (await get(authReqId)) as Record<string, unknown> | undefined;
      return Object.entries(wanted).every(([name, value]) => view?.[name] === value);
    });
  /** What is written down last is heard or listed last. */
  const delivered = (authReqId: string): Promise<void> =>
    until('it is delivered', () => eventsOf(authReqId).some(({ name }) => name === 'delivery.delivered'));
  const listsFailed = (authReqId: string): Promise<void> =>
    until('it is listed as failed', async () => {
      const [waiting, failed] = [await listed('waiting'), await listed('failed')];
      return waiting.length === 0 && failed.join() === handleOf(authReqId);
    });
  const eventsOf = (authReqId: string) =>
    server.events
      .filter(
        ({ name, event }) =>
          name.startsWith('delivery.') && 'handle' in event && event.handle === handleOf(authReqId),
      )
      .map(({ name, event }) => ({ name, ...event }));
  /** Whatever the client was sent is secret, as what it was sent with. */
  function expectNoSecretIn(shown: unknown): void {
    const sent = receiver.received.flatMap(({ body }) => Object.entries(JSON.parse(body)));
    const tokens = sent
      .filter(([name]) => /token$|^auth_req_id$/.test(name))
      .map(([, value]) => String(value));
    const text = JSON.stringify(shown);
    for (const secret of [...secrets, ...tokens]) expect(text).not.toContain(secret);
  }

  test.each(['ping', 'push'] as const)('a %s that nobody has decided waits, and is not due', async (mode) => {
    const authReqId = await askedBy(`${mode}ed`);
    expect(await get(authReqId)).toEqual({
      handle: handleOf(authReqId),
      clientId: `${mode}ed`,
      accountId: 'alice',
      mode,
      state: 'waiting',
      requestStatus: 'pending',
      attempts: 0,
      last: undefined,
      nextAttemptAt: undefined,
      expiresAt: expect.any(Date),
    });
    expect(await listed()).toEqual([]);
    expect(await codeOf(retry(authReqId))).toBe('not_deliverable');
    expect(receiver.connections).toBe(0);
  });

  test('of a request whose client polls there is nothing', async () => {
    const authReqId = await asked(server);
    await server.approve(authReqId);
    expect(await get(authReqId)).toBeUndefined();
    expect(await listed()).toEqual([]);
    expect(await codeOf(retry(authReqId))).toBe('not_deliverable');
  });

  test.each([
    ['pinged', '503', later(503)],
    ['pushed', '429', later(429)],
  ])('%s: after %s the next attempt is listed, with its time', async (client, last, answer) => {
    const authReqId = await decided(client, answer, status(204));
    await reaches(authReqId, { attempts: 1 });
    const view = await get(authReqId);
    expect(view).toMatchObject({ state: 'waiting', last, requestStatus: 'approved' });
    const { nextAttemptAt, expiresAt } = view as DeliveryView;
    expect(nextAttemptAt?.getTime()).toBeLessThan(expiresAt.getTime());
    expect(await listed()).toEqual([handleOf(authReqId)]);
    expect([await listed('waiting'), await listed('failed')]).toEqual([[handleOf(authReqId)], []]);
    expectNoSecretIn([view, await server.ciba.deliveries.list()]);
  });

  test.each(['pinged', 'pushed'])(
    '%s: a retry does not wait for the time of the next attempt',
    async (client) => {
      const authReqId = await decided(client, later(503), later(503), status(204));
      await reaches(authReqId, { attempts: 1 });
      await retry(authReqId);
      await reaches(authReqId, { attempts: 2 });
      await retry(authReqId);
      await delivered(authReqId);
      const wanted = { state: 'delivered', attempts: 3, last: '204', nextAttemptAt: undefined };
      expect(await get(authReqId)).toMatchObject(wanted);
      expect(await listed()).toEqual([]);
      const [first, ...more] = receiver.received.map(({ body }) => body);
      expect(more).toEqual([first, first]);
    },
  );

  test('a ping that was given up is listed for a day, and may be retried', async () => {
    const authReqId = await decided('pinged', status(403), status(204));
    await listsFailed(authReqId);
    expect(await get(authReqId)).toMatchObject({ state: 'failed', attempts: 1, last: '403' });
    expectNoSecretIn(await server.ciba.deliveries.list());
    await retry(authReqId);
    await delivered(authReqId);
    expect(await get(authReqId)).toMatchObject({ state: 'delivered', attempts: 2, last: '204' });
    expect(await listed()).toEqual([]);
    expect((await poll(server, authReqId, {}, { client: 'pinged' })).status).toBe(200);
  });

  test('a ping that fails again after a retry is given up again, and listed', async () => {
    const authReqId = await decided('pinged', status(401));
    await listsFailed(authReqId);
    await retry(authReqId);
    await reaches(authReqId, { state: 'failed', attempts: 2 });
    await listsFailed(authReqId);
    expect(receiver.received.length).toBe(2);
  });

  test('a push that was given up may not be retried: its tokens are revoked [PUSH-8]', async () => {
    const authReqId = await decided('pushed', status(400), status(204));
    await reaches(authReqId, { state: 'failed', requestStatus: 'undeliverable' });
    expect(await codeOf(retry(authReqId))).toBe('not_deliverable');
    const { access_token: accessToken } = JSON.parse(String(receiver.received[0]?.body));
    await until('it is revoked', async () => !(await introspect(server, accessToken)).active);
    await listsFailed(authReqId);
    expect(receiver.received.length).toBe(1);
  });

  test('what the client knows may not be retried', async () => {
    const authReqId = await decided('pinged', status(204));
    await reaches(authReqId, { state: 'delivered' });
    expect(await codeOf(retry(authReqId))).toBe('not_deliverable');
    expect(receiver.received.length).toBe(1);
  });

  test('a retry may not go beyond the end of the request', async () => {
    const authReqId = await decided('pinged', status(401));
    await reaches(authReqId, { state: 'failed' });
    server.advance(600);
    expect(await codeOf(retry(authReqId))).toBe('not_deliverable');
    expect(receiver.received.length).toBe(1);
  });

  test('retries while the client is being told send nothing more', async () => {
    let letGo = (): void => {};
    const authReqId = await decided('pinged', (response) => {
      letGo = () => response.writeHead(204).end();
    });
    await until('it is there', () => receiver.received.length === 1);
    await Promise.all([retry(authReqId), retry(authReqId)]);
    await retry(authReqId);
    letGo();
    await delivered(authReqId);
    expect(await get(authReqId)).toMatchObject({ attempts: 1 });
    expect(receiver.received.length).toBe(1);
  });

  test('the list has those that wait in front, and as many as are wanted', async () => {
    const failed = await decided('pinged', status(401));
    await listsFailed(failed);
    const waiting = await decided('pushed', later(503));
    await reaches(waiting, { attempts: 1 });
    expect(await listed()).toEqual([handleOf(waiting), handleOf(failed)]);
    const [one, ...none] = await server.ciba.deliveries.list({ limit: 1 });
    expect([one?.handle, none]).toEqual([handleOf(waiting), []]);
    const [other] = await server.ciba.deliveries.list({ state: 'failed', limit: 1 });
    expect(other?.handle).toBe(handleOf(failed));
  });

  test('a handle that nobody was given is nothing', async () => {
    expect(await server.ciba.deliveries.get('no-such-handle')).toBeUndefined();
    expect(await codeOf(server.ciba.deliveries.retry('no-such-handle'))).toBe('not_deliverable');
  });

  const about = (mode: string) => ({ clientId: `${mode}ed`, handle: expect.any(String), mode });
  const retried = (mode: 'ping' | 'push') => {
    const { mode: _, ...of } = about(mode);
    return { ...of, name: 'delivery.retried' };
  };

  test.each(['ping', 'push'] as const)(
    'a %s: the events of each attempt say what it came to',
    async (mode) => {
      const authReqId = await decided(`${mode}ed`, later(503), later(429), status(204));
      for (const attempts of [1, 2]) {
        await reaches(authReqId, { attempts });
        await retry(authReqId);
      }
      await delivered(authReqId);
      const seconds = expect.any(Number);
      expect(eventsOf(authReqId)).toEqual([
        { ...about(mode), name: 'delivery.delayed', attempts: 1, reason: '503', seconds },
        retried(mode),
        { ...about(mode), name: 'delivery.delayed', attempts: 2, reason: '429', seconds },
        retried(mode),
        { ...about(mode), name: 'delivery.delivered', attempts: 3 },
      ]);
      expectNoSecretIn(server.events);
    },
  );

  test.each(['ping', 'push'] as const)('a %s: the event of giving up says why', async (mode) => {
    const authReqId = await decided(`${mode}ed`, later(503), reset(), status(401));
    await reaches(authReqId, { attempts: 1 });
    await retry(authReqId);
    await reaches(authReqId, { attempts: 2 });
    server.advance(5);
    await listsFailed(authReqId);
    const seconds = expect.any(Number);
    expect(eventsOf(authReqId)).toEqual([
      { ...about(mode), name: 'delivery.delayed', attempts: 1, reason: '503', seconds },
      retried(mode),
      { ...about(mode), name: 'delivery.delayed', attempts: 2, reason: 'connection', seconds },
      { ...about(mode), name: 'delivery.failed', attempts: 3, reason: '401' },
    ]);
    expectNoSecretIn(server.events);
  });
});
