import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { ClientMetadata } from 'oidc-provider';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { startReceiver } from '../support/receiver.js';
import { startRedis } from '../support/redis-server.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import {
  ask,
  asked,
  basic,
  CIBA_GRANT,
  formOf,
  ISSUER,
  type Params,
  type PluginServer,
  pluginServer,
  poll,
  post,
  type Sending,
} from '../support/server.js';
import { until } from '../support/until.js';

const CANCEL = '/backchannel/cancel';

const cancel = (server: PluginServer, id: string, params: Params = {}, sending: Sending = {}) =>
  post(server, CANCEL, { grant_type: CIBA_GRANT, auth_req_id: id, ...params }, sending);

function expectCancelled(answer: Response): void {
  expect({ status: answer.status, text: answer.text, error: answer.body.error }).toEqual({
    status: 204,
    text: '',
    error: undefined,
  });
  expect(answer.headers['cache-control']).toContain('no-store');
}

function expectError(answer: Response, error: string, status = 400): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status, error });
  expectErrorEnvelope(answer);
}

onEveryStore('a client that withdraws its request', (make) => {
  it('is answered 204, its polls access_denied, and nobody is asked any more', async () => {
    const server = make();
    const id = await asked(server);
    expectCancelled(await cancel(server, id));
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    const polled = await poll(server, id);
    expect({ status: polled.status, error: polled.body.error }).toEqual({
      status: 400,
      error: 'access_denied',
    });
    expect(server.heard).toEqual(['request.accepted', 'request.cancelled']);
    const handle = server.ciba.requests.handleOf(id);
    expect(server.events.at(-1)?.event).toEqual({
      handle,
      clientId: 'till',
      accountId: 'alice',
      by: 'client',
    });
  });

  it('has not polled by it: the next poll is the first, whenever it comes', async () => {
    const server = make();
    const [withdrawn, other] = [await asked(server), await asked(server)];
    await poll(server, other);
    await cancel(server, withdrawn);
    await cancel(server, 'unknown');
    expect(server.heard.filter((name) => name.startsWith('poll.'))).toEqual(['poll.pending']);
    expect(server.heard.filter((name) => name.startsWith('redemption.'))).toEqual([]);
  });

  it('may say it twice', async () => {
    const server = make();
    const id = await asked(server);
    expectCancelled(await cancel(server, id));
    expectCancelled(await cancel(server, id));
    expect(server.heard.filter((name) => name === 'request.cancelled').length).toBe(1);
    expect(server.heard).not.toContain('decision.refused');
  });

  it('may say it twice at once', async () => {
    const server = make();
    const id = await asked(server);
    for (const answer of await Promise.all([cancel(server, id), cancel(server, id), cancel(server, id)])) {
      expectCancelled(answer);
    }
    expect(server.heard.filter((name) => name === 'request.cancelled').length).toBe(1);
  });

  it('frees the place of the request at once', async () => {
    const server = make({ ciba: { limits: { pendingPerAccount: 1, refusals: false } } });
    for (let count = 0; count < 4; count++) expectCancelled(await cancel(server, await asked(server)));
  });

  it('learns nothing of another’s request, and of none', async () => {
    const server = make();
    const id = await asked(server);
    const foreign = await cancel(server, id, {}, { client: 'kiosk' });
    const unknown = await cancel(server, randomBytes(32).toString('base64url'));
    expectError(foreign, 'invalid_grant');
    expect(unknown.body).toEqual(foreign.body);
    expect(unknown.status).toBe(400);
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
    await server.approve(id);
    expect((await poll(server, id)).status).toBe(200);
  });

  it.each([
    ['approved', async (server: PluginServer, id: string) => server.approve(id)],
    ['denied', async (server: PluginServer, id: string) => server.deny(id)],
    ['expired', async (server: PluginServer) => server.advance(301)],
  ])('comes too late where it was %s', async (outcome, decide) => {
    const server = make();
    const id = await asked(server);
    await decide(server, id);
    const answer = await cancel(server, id);
    expectError(answer, 'invalid_grant');
    expect(answer.body.error_description).toContain(outcome);
    expect(server.heard).not.toContain('request.cancelled');
    const { status, body } = await poll(server, id);
    expect(outcome === 'approved' ? status : body.error).toBe(
      { approved: 200, denied: 'access_denied', expired: 'expired_token' }[outcome],
    );
  });

  it('comes too late where its tokens were fetched, and they stay', async () => {
    const server = make();
    const id = await asked(server);
    await server.approve(id);
    const { access_token: token } = (await poll(server, id)).body;
    expectError(await cancel(server, id), 'invalid_grant');
    expect((await post(server, '/token/introspection', { token })).body.active).toBe(true);
  });

  it('is gone before the person’s yes, who is told so', async () => {
    const server = make();
    const id = await asked(server);
    await cancel(server, id);
    for (const late of [server.approve(id), server.deny(id)]) {
      await expect(late).rejects.toMatchObject({ code: 'already_decided', outcome: 'cancelled' });
    }
  });

  it('three times keeps the client away for a while, as what nobody has answered does [SEC-1]', async () => {
    const server = make();
    for (let count = 0; count < 3; count++) expectCancelled(await cancel(server, await asked(server)));
    const refused = await ask(server);
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 403,
      error: 'access_denied',
    });
    expect((await ask(server, {}, { client: 'kiosk' })).status).toBe(200);
    server.advance(601);
    await asked(server);
  });

  it('wins over the yes that comes at the same time, or loses to it, and all three hear the same', async () => {
    const server = make({ ciba: { limits: false } });
    const outcomes = new Set<string>();
    for (let round = 0; round < 50; round++) {
      const id = await asked(server);
      const approve = () =>
        server.approve(id).then(
          () => 'approved',
          (error) => error.outcome,
        );
      const withdraw = () => cancel(server, id);
      // They are begun in turns, so that neither is always first.
      const [withdrawn, outcome] =
        round % 2
          ? await Promise.all([withdraw(), approve()])
          : (await Promise.all([approve(), withdraw()])).reverse();
      const polled = await poll(server, id);
      outcomes.add(String(outcome));
      expect([(withdrawn as Response).status, outcome, polled.status]).toEqual(
        outcome === 'approved' ? [400, 'approved', 200] : [204, 'cancelled', 400],
      );
    }
    expect([...outcomes].filter((outcome) => !/^(approved|cancelled)$/.test(outcome))).toEqual([]);
  });
});

onEveryStore('who may withdraw', (make) => {
  it.each([
    ['a wrong secret', basic('till', 'wrong')],
    ['an unknown client', basic('nobody', 'wrong')],
  ])('%s: 401, and the request stays', async (_what, authorization) => {
    const server = make();
    const id = await asked(server);
    const answer = await cancel(server, id, {}, { headers: { authorization } });
    expectError(answer, 'invalid_client', 401);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
  });

  it('nobody without credentials', async () => {
    const server = make();
    const id = await asked(server);
    const anonymous = await request(server.app)
      .post(CANCEL)
      .type('form')
      .send(formOf({ grant_type: CIBA_GRANT, auth_req_id: id }));
    expectError(anonymous, 'invalid_request');
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
  });

  it('a client that is not registered for CIBA: unauthorized_client', async () => {
    const server = make();
    expectError(await cancel(server, await asked(server), {}, { client: 'web' }), 'unauthorized_client');
  });

  it('a client that sends its secret in the form', async () => {
    const poster = pollClient('poster', { token_endpoint_auth_method: 'client_secret_post' });
    const server = make({ config: { clients: [poster] } });
    const credentials = { client_id: 'poster', client_secret: 'poster-secret' };
    const form = (path: string, params: Params) =>
      request(server.app)
        .post(path)
        .type('form')
        .send(formOf({ ...credentials, ...params }));
    const { auth_req_id: id } = (await form('/backchannel', { scope: 'openid', login_hint: 'alice' })).body;
    const params = { grant_type: CIBA_GRANT, auth_req_id: id };
    expectError(await form(CANCEL, { ...params, client_secret: 'wrong' }), 'invalid_client', 401);
    expectCancelled(await form(CANCEL, params));
  });

  it('a client that sends a DPoP proof, whatever it is made for', async () => {
    const bound = pollClient('bound', { dpop_bound_access_tokens: true });
    const server = make({ config: { clients: [bound] }, features: { dPoP: { enabled: true } } });
    for (const headers of [{ dpop: 'made for this address' }, {}]) {
      const id = await asked(server, {}, { client: 'bound' });
      expectCancelled(await cancel(server, id, {}, { client: 'bound', headers }));
    }
  });

  it.each([
    ['the issuer', '', ISSUER],
    ['the token endpoint', '', `${ISSUER}/token`],
    ['the token endpoint, mounted', '/oidc', `${ISSUER}/oidc/token`],
  ])('a client that signs its assertion for %s', async (_what, mount, audience) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const signer: ClientMetadata = pollClient('signer', {
      client_secret: undefined,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: 'https://signer.example/jwks',
    });
    const keys = [await exportJWK(publicKey)];
    const server = make({
      mount,
      config: { clients: [signer], fetch: async () => globalThis.Response.json({ keys }) },
    });
    const form = async (path: string, params: Params, to = audience) =>
      request(server.app)
        .post(`${mount}${path}`)
        .set('host', 'op.example')
        .type('form')
        .send(
          formOf({
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: await new SignJWT({ jti: randomUUID() })
              .setProtectedHeader({ alg: 'ES256' })
              .setIssuer('signer')
              .setSubject('signer')
              .setAudience(to)
              .setIssuedAt()
              .setExpirationTime('1m')
              .sign(privateKey),
            ...params,
          }),
        );
    const { auth_req_id: id } = (await form('/backchannel', { scope: 'openid', login_hint: 'alice' })).body;
    const params = { grant_type: CIBA_GRANT, auth_req_id: id };
    expectError(await form(CANCEL, params, 'https://other.example'), 'invalid_client', 401);
    expectCancelled(await form(CANCEL, params));
  });
});

onEveryStore('a client that is told, and withdraws', (make) => {
  it.each(['ping', 'push'] as const)('hears of it by %s', async (mode) => {
    const receiver = await startReceiver();
    const server = make({
      config: {
        clients: [
          pollClient('told', {
            backchannel_token_delivery_mode: mode as 'ping',
            backchannel_client_notification_endpoint: receiver.url,
          }),
        ],
      },
      hooks: { deliveryModes: [mode] },
      ciba: { delivery: { allowLoopback: true } },
    });
    const token = randomBytes(16).toString('base64url');
    const id = await asked(server, { client_notification_token: token }, { client: 'told' });
    expectCancelled(await cancel(server, id, {}, { client: 'told' }));
    await until('it is told', () => server.heard.includes('delivery.delivered'));
    expect(receiver.received.map(({ body }) => JSON.parse(body))).toEqual([
      mode === 'ping'
        ? { auth_req_id: id }
        : { auth_req_id: id, error: 'access_denied', error_description: 'the request was cancelled' },
    ]);
    await receiver.close();
  });
});

onEveryStore('the endpoint', (make) => {
  it.each(['', '/oidc'])('is in the discovery document, mounted at %j, and works there', async (mount) => {
    const server = make({ mount });
    const { body } = await request(server.app)
      .get(`${mount}/.well-known/openid-configuration`)
      .set('host', 'op.example');
    expect(body.backchannel_cancellation_endpoint).toBe(`${ISSUER}${mount}${CANCEL}`);
    expect(body.backchannel_authentication_endpoint).toBe(`${ISSUER}${mount}/backchannel`);
    expectCancelled(await cancel(server, await asked(server)));
  });

  it('is where the server has put the backchannel endpoint', async () => {
    const routes = { backchannel_authentication: '/ciba/start', token: '/oauth/token' };
    const server = make({ config: { routes } });
    const { auth_req_id: id } = (await post(server, '/ciba/start', { scope: 'openid', login_hint: 'alice' }))
      .body;
    expectCancelled(await post(server, '/ciba/start/cancel', { grant_type: CIBA_GRANT, auth_req_id: id }));
  });

  it('takes POST only', async () => {
    const server = make();
    for (const method of ['get', 'put', 'delete', 'patch'] as const) {
      const answer = await request(server.app)[method](CANCEL).set('authorization', basic('till'));
      expectError(answer, 'invalid_request', 405);
      expect(answer.headers['allow']).toBe('POST');
    }
  });

  it.each<[string, Params]>([
    ['no grant type', { grant_type: undefined }],
    ['two', { grant_type: [CIBA_GRANT, CIBA_GRANT] }],
    ['two different ones', { grant_type: [CIBA_GRANT, 'client_credentials'] }],
    ['two different ones, in the other order', { grant_type: ['client_credentials', CIBA_GRANT] }],
    ['another', { grant_type: 'client_credentials' }],
  ])('gives no tokens for another grant: %s', async (_what, params) => {
    const clients = [pollClient('till', { grant_types: [CIBA_GRANT, 'client_credentials'] })];
    const server = make({ config: { clients }, features: { clientCredentials: { enabled: true } } });
    const id = await asked(server);
    expectError(await cancel(server, id, params), 'unsupported_grant_type');
    expect(server.store.count('ClientCredentials')).toBe(0);
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
  });

  it('gives no tokens for a form that reads as another grant in another character set', async () => {
    const clients = [pollClient('till', { grant_types: [CIBA_GRANT, 'client_credentials'] })];
    const server = make({ config: { clients }, features: { clientCredentials: { enabled: true } } });
    const hidden = Buffer.from('&grant_type=client_credentials&x=', 'utf16le');
    const body = Buffer.concat([Buffer.from(`grant_type=${CIBA_GRANT}&y=`), hidden]);
    const answer = await request(server.app)
      .post(CANCEL)
      .set({
        authorization: basic('till'),
        'content-type': 'application/x-www-form-urlencoded; charset=utf-16le',
      })
      .send(body);
    expect(answer.status).toBe(400);
    expect(server.store.count('ClientCredentials')).toBe(0);
  });

  it('wants the auth_req_id', async () => {
    expectError(await cancel(make(), '', { auth_req_id: undefined }), 'invalid_request');
  });

  it('wants a form', async () => {
    const server = make();
    const json = await request(server.app)
      .post(CANCEL)
      .set('authorization', basic('till'))
      .send({ grant_type: CIBA_GRANT, auth_req_id: await asked(server) });
    expect(json.status).toBe(400);
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
  });

  it('says nothing back of a page that it was called from, where there is no form either', async () => {
    const server = make();
    const body = formOf({ grant_type: CIBA_GRANT, auth_req_id: await asked(server) });
    const sent = request(server.app)
      .post(CANCEL)
      .set({ authorization: basic('till'), origin: 'https://elsewhere.example' });
    // Bytes without a content type, which oidc-provider does not read as a form.
    const answer = await sent.serialize((bytes: unknown) => bytes as string).send(Buffer.from(body) as never);
    expect(answer.status).toBe(400);
    expectErrorEnvelope(answer);
    expect(answer.text).not.toContain('elsewhere');
  });

  it('refuses a body that is too large', async () => {
    const server = make();
    const answer = await cancel(server, await asked(server), { more: 'x'.repeat(60 * 1024) });
    expectError(answer, 'invalid_request', 413);
  });

  it('reads JSON errors only, whatever the client accepts', async () => {
    expectError(await cancel(make(), 'unknown', {}, { headers: { accept: 'text/html' } }), 'invalid_grant');
  });

  it('leaves the request its own URL, for whoever logs it', async () => {
    const server = make({ mount: '/oidc' });
    const logged: string[] = [];
    const app = express();
    app.use((req, res, next) => {
      res.on('finish', () => logged.push(`${req.originalUrl} ${res.statusCode}`));
      next();
    });
    app.use(server.app);
    const id = await asked(server);
    await request(app)
      .post(`/oidc${CANCEL}?from=till`)
      .set({ authorization: basic('till'), host: 'op.example' })
      .type('form')
      .send(formOf({ grant_type: CIBA_GRANT, auth_req_id: id }));
    expect(logged).toEqual([`/oidc${CANCEL}?from=till 204`]);
  });

  it('takes what the server’s own parser has made of the form', async () => {
    const server = make();
    const app = express().use(express.urlencoded({ extended: false }), server.app);
    const withParser = { ...server, app };
    expectCancelled(await cancel(withParser, await asked(server)));
    expectError(
      await cancel(withParser, await asked(server), { grant_type: 'refresh_token' }),
      'unsupported_grant_type',
    );
  });
});

describe('a form that comes in pieces', () => {
  let server: PluginServer;
  let listener: ReturnType<typeof createServer>;
  let port: number;

  beforeEach(async () => {
    server = pluginServer();
    // Koa prints each connection that breaks off.
    Object.assign(server.provider, { silent: true });
    listener = createServer(server.app).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    port = (listener.address() as AddressInfo).port;
  });
  afterEach(async () => {
    listener.closeAllConnections();
    listener.close();
    await server.close();
  });

  const headers = {
    authorization: basic('till'),
    host: 'op.example',
    'content-type': 'application/x-www-form-urlencoded',
  };

  it.each(['with its length announced', 'chunk by chunk'])('is read whole, %s', async (how) => {
    const id = await asked(server);
    const body = formOf({ grant_type: CIBA_GRANT, more: 'x'.repeat(40_000), auth_req_id: id });
    const length = how === 'chunk by chunk' ? {} : { 'content-length': body.length };
    const sent = send({ port, method: 'POST', path: CANCEL, headers: { ...headers, ...length } });
    for (const piece of body.match(/.{1,1000}/gs) ?? []) {
      await new Promise((written) => sent.write(piece, written));
    }
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    expect({ status: answer.statusCode, body: await text(answer) }).toEqual({ status: 204, body: '' });
    expect(server.heard).toContain('request.cancelled');
  });

  it('and that breaks off, withdraws nothing and harms nobody', async () => {
    const id = await asked(server);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const form = formOf({ grant_type: CIBA_GRANT, auth_req_id: id });
    socket.write(`POST ${CANCEL} HTTP/1.1\r\n${lines.join('')}content-length: 500\r\n\r\n${form}`);
    await until('the server has heard of it', async () => {
      const connections = await new Promise<number>((resolve) =>
        listener.getConnections((_error, count) => resolve(count)),
      );
      return connections > 0;
    });
    socket.resetAndDestroy();
    expectCancelled(await cancel(server, await asked(server)));
    expect((await server.ciba.requests.list('alice')).map(({ handle }) => handle)).toEqual([
      server.ciba.requests.handleOf(id),
    ]);
  });
});

describe('while Redis is away', () => {
  it('withdrawing is answered 503 with Retry-After, and can be said again [HTTP-12]', async () => {
    const redis = await startRedis();
    const server = pluginServer({ redis: redis.client() });
    const id = await asked(server);
    redis.pause();
    const answer = await cancel(server, id);
    redis.resume();
    expectError(answer, 'temporarily_unavailable', 503);
    expect(answer.headers['retry-after']).toBe('5');
    await until('it is withdrawn', async () => (await cancel(server, id)).status === 204);
    expect((await poll(server, id)).body.error).toBe('access_denied');
    await server.close();
    await redis.stop();
  });
});
