import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ClientMetadata } from 'oidc-provider';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { type Receiver, startReceiver, status } from '../support/receiver.js';
import { holdersOf } from '../support/redis-contents.js';
import { ask, asked, CIBA_GRANT, introspect, type PluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

onEveryStore('telling the client of the outcome', (make, redis) => {
  let receiver: Receiver;
  let server: PluginServer;

  const client = (id: string, mode: string, more: Partial<ClientMetadata> = {}): ClientMetadata =>
    pollClient(id, {
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: receiver.url,
      ...more,
    });

  beforeEach(async () => {
    receiver = await startReceiver();
    server = make({
      config: {
        clients: [
          client('till', 'poll'),
          client('pinged', 'ping'),
          client('pushed', 'push'),
          client('bare', 'push', { grant_types: ['refresh_token'] }),
        ],
      },
      hooks: { deliveryModes: ['poll', 'ping', 'push'] },
      ciba: { delivery: { allowLoopback: true } },
    });
  });
  afterEach(() => receiver.close());

  const token = (): string => randomBytes(16).toString('base64url');
  const askAs = (clientId: string, params = {}): Promise<string> =>
    asked(server, { client_notification_token: token(), ...params }, { client: clientId });
  const arrived = (count = 1): Promise<void> =>
    until(`${count} arrived`, () => receiver.received.length >= count);
  const delivered = (id: string): Promise<void> =>
    until('it is delivered', async () => {
      const view = await server.ciba.deliveries.get(server.ciba.requests.handleOf(id));
      return view?.state === 'delivered';
    });
  const bodies = (): Record<string, string>[] => receiver.received.map(({ body }) => JSON.parse(body));

  test.each(['approve', 'deny', 'cancel'] as const)(
    '%s pings once, and the poll tells the rest [PING-1, PING-3, TOK-18]',
    async (action) => {
      const id = await askAs('pinged');
      if (action === 'cancel') await server.ciba.requests.cancel(server.ciba.requests.handleOf(id));
      else await server[action](id);
      await delivered(id);
      expect(bodies()).toEqual([{ auth_req_id: id }]);
      const { status: code, body } = await poll(server, id, {}, { client: 'pinged' });
      expect(action === 'approve' ? code : body.error).toBe(action === 'approve' ? 200 : 'access_denied');
    },
  );

  test('two requests at once keep their own tokens [PING-2]', async () => {
    const tokens = [token(), token()];
    const ids = await Promise.all(tokens.map((one) => askAs('pinged', { client_notification_token: one })));
    await Promise.all(ids.map((id) => server.approve(id)));
    await arrived(2);
    const got = receiver.received.map(({ headers, body }) => [
      headers.authorization,
      JSON.parse(body).auth_req_id,
    ]);
    expect(new Map(got as [string, string][])).toEqual(
      new Map(ids.map((id, index) => [`Bearer ${tokens[index]}`, id])),
    );
  });

  test('from inside the ping the tokens are there, and the poll is not too fast [PING-9, POLL-4]', async () => {
    let inside: { status: number } | undefined;
    const id = await askAs('pinged');
    await poll(server, id, {}, { client: 'pinged' });
    receiver.answer(async (response) => {
      inside = await poll(server, id, {}, { client: 'pinged' });
      response.writeHead(204).end();
    });
    await server.approve(id);
    await delivered(id);
    expect(inside?.status).toBe(200);
  });

  test('the approval does not wait for a client that hangs [PING-1]', async () => {
    let letGo = (): void => {};
    receiver.answer((response) => {
      letGo = () => response.writeHead(204).end();
    });
    const id = await askAs('pinged');
    await server.approve(id);
    expect((await poll(server, id, {}, { client: 'pinged' })).status).toBe(200);
    await arrived();
    letGo();
  });

  test('a poll client that has an endpoint registered is never called [PING-10]', async () => {
    const id = await asked(server);
    await server.approve(id);
    expect((await poll(server, id)).status).toBe(200);
    const told = await askAs('pinged');
    await server.approve(told);
    await delivered(told);
    expect(bodies()).toEqual([{ auth_req_id: told }]);
    expect(await server.ciba.deliveries.get(server.ciba.requests.handleOf(id))).toBeUndefined();
  });

  test('a push has no interval and nothing at the token endpoint, and is told all [ACK-6, PUSH-1, PUSH-6, TERR-7]', async () => {
    const ack = await ask(
      server,
      { client_notification_token: token(), scope: 'openid offline_access' },
      { client: 'pushed' },
    );
    expect(Object.keys(ack.body).sort()).toEqual(['auth_req_id', 'expires_in']);
    const id = ack.body.auth_req_id as string;
    const refused = { status: 400, error: 'unauthorized_client' };
    const tried = async () => {
      const { status: code, body } = await poll(server, id, {}, { client: 'pushed' });
      return { status: code, error: body.error };
    };
    expect(await tried()).toEqual(refused);
    await server.approve(id);
    expect(await tried()).toEqual(refused);
    await delivered(id);
    const [body] = bodies();
    expect(Object.keys(body ?? {}).sort()).toEqual([
      'access_token',
      'auth_req_id',
      'expires_in',
      'id_token',
      'refresh_token',
      'scope',
      'token_type',
    ]);
    expect(body?.auth_req_id).toBe(id);
    expect(await introspect(server, String(body?.access_token))).toMatchObject({
      active: true,
      client_id: 'pushed',
    });
    expect(await tried()).toEqual(refused);
    expect((await server.ciba.requests.get(server.ciba.requests.handleOf(id)))?.status).toBe('delivered');
  });

  test('what is pushed is not to be had at the token endpoint, whatever the client is registered for by then [TOK-18, PERR-6]', async () => {
    const moving = (mode: string) => {
      const away = { backchannel_client_notification_endpoint: 'https://127.0.0.1:1/cb' };
      const { client_id: id, ...metadata } = client('moving', mode, away);
      return server.store.adapter('Client').upsert('moving', { client_id: id, ...metadata } as never, 0);
    };
    await moving('push');
    const id = await askAs('moving');
    await server.approve(id);
    await until('it was tried', () => server.heard.includes('delivery.delayed'));
    await moving('poll');
    const { status: code, body } = await poll(server, id, {}, { client: 'moving' });
    expect({ code, error: body.error }).toEqual({ code: 400, error: 'unauthorized_client' });
  });

  test('a push client that does not list the grant is told as well [REG-4]', async () => {
    const id = await askAs('bare');
    await server.deny(id, 'not mine');
    await delivered(id);
    expect(bodies()).toEqual([{ auth_req_id: id, error: 'access_denied', error_description: 'not mine' }]);
    const { body } = await poll(server, id, { grant_type: CIBA_GRANT }, { client: 'bare' });
    expect(body.error).toBe('unauthorized_client');
  });

  test('what is tried again is tried when the clock says so, and a push that is given up is revoked [PING-7, PUSH-7, PUSH-8]', async () => {
    receiver.answer(status(503), status(401));
    const id = await askAs('pushed');
    await server.approve(id);
    const handle = server.ciba.requests.handleOf(id);
    await until('the first attempt', async () => (await server.ciba.deliveries.get(handle))?.attempts === 1);
    server.advance(3);
    await until('it is given up', () => server.heard.includes('delivery.failed'));
    const [one, two] = receiver.received;
    expect(two?.body).toBe(one?.body);
    expect(await introspect(server, String(bodies()[0]?.access_token))).toEqual({ active: false });
    expect(server.heard.filter((name) => name.startsWith('delivery.'))).toEqual([
      'delivery.delayed',
      'delivery.failed',
    ]);
  });

  test('what Redis refuses to take is in no event and no log [SEC-11]', async () => {
    const client = redis()?.client();
    if (!client) return;
    const notification = token();
    await client.config('SET', 'maxmemory', '1');
    try {
      const { status: code } = await ask(
        server,
        { client_notification_token: notification },
        { client: 'pinged' },
      );
      expect(code).toBe(503);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    expect(server.heard).toContain('store.unavailable');
    expect(inspect(server.events, { depth: 9, showHidden: true })).not.toContain(notification);
    expect(inspect(server.events, { depth: 9 })).toContain('OOM');
  });

  test('nothing secret is left or told anywhere once the client was told [PING-12, SEC-11]', async () => {
    const notification = token();
    const id = await askAs('pushed', { client_notification_token: notification });
    await server.approve(id);
    await delivered(id);
    const { access_token: access, id_token: idToken } = bodies()[0] ?? {};
    const events = JSON.stringify(server.events);
    for (const secret of [notification, id, access, idToken]) {
      expect(events).not.toContain(secret);
      const client = redis()?.client();
      expect(client ? await holdersOf(client, String(secret)) : []).toEqual([]);
    }
  });
});
