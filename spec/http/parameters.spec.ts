import request from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  CIBA_GRANT,
  type PluginServer,
  type PluginServerOptions,
  poll,
  post,
} from '../support/server.js';

const ENDPOINT = { backchannel_client_notification_endpoint: 'https://told.example/ping' };
const options: PluginServerOptions = {
  config: {
    clients: [
      pollClient('till'),
      pollClient('kiosk'),
      pollClient('pinged', { backchannel_token_delivery_mode: 'ping', ...ENDPOINT }),
      pollClient('narrow', { scope: 'openid' }),
    ],
    scopes: ['openid', 'profile', 'offline_access'],
  },
  hooks: { deliveryModes: ['poll', 'ping'] },
  // Nobody is told here.
  ciba: { delivery: { worker: true } },
};

const pinged = { client: 'pinged' };
const askPinged = (server: PluginServer, token: string | undefined) =>
  ask(server, { client_notification_token: token }, pinged);

onEveryStore('the token that a client is called with', (make) => {
  it('is sent by every client that is called [REQ-6] [ERR-3]', async () => {
    const server = make(options);
    await expectRefused(server, () => askPinged(server, undefined), { error: 'invalid_request' });
    await expectRefused(server, () => askPinged(server, ''), { error: 'invalid_request' });
  });

  it('has 1024 characters at most [REQ-7]', async () => {
    const server = make(options);
    expect((await askPinged(server, 'x'.repeat(1024))).status).toBe(200);
    await expectRefused(server, () => askPinged(server, 'x'.repeat(1025)), { error: 'invalid_request' });
  });

  it.each(['with space', 'a"b', 'a\r\nb', 'ünïcode', 'a=b', '=', ','])(
    'is a bearer token, and not %j [REQ-8]',
    async (token) => {
      const server = make(options);
      await expectRefused(server, () => askPinged(server, token), { error: 'invalid_request' });
    },
  );

  it.each(['aZ09-._~+/==', '8d67dc78-7faa-4d41-aabd-67707b374255', 'QmFzZTY0dXJsLXJhbmRvbQ'])(
    'may be an honest one: %s [REQ-8] [REQ-9]',
    async (token) => {
      expect((await askPinged(make(options), token)).status).toBe(200);
    },
  );

  it('of a client that polls is of no use [REQ-10]', async () => {
    expect((await ask(make(options), { client_notification_token: 'not "a" token' })).status).toBe(200);
  });
});

onEveryStore('what is asked for', (make) => {
  it('has scopes in any order, and those that nobody knows are not granted [REQ-3] [REQ-4]', async () => {
    const server = make(options);
    const id = await asked(server, { scope: 'profile unknown openid' });
    await server.approve(id);
    expect((await poll(server, id)).body.scope.split(' ').sort()).toEqual(['openid', 'profile']);
  });

  it('has no scope that the client may not have, and none that is malformed [REQ-3] [ERR-4]', async () => {
    const server = make(options);
    const wider = () => ask(server, { scope: 'openid profile' }, { client: 'narrow' });
    await expectRefused(server, wider, { error: 'invalid_scope' });
    for (const scope of ['openid "x"', 'openid \\', 'openid ünïcode']) {
      await expectRefused(server, () => ask(server, { scope }), { error: 'invalid_scope' });
    }
  });

  it('may have parameters of profiles, and those of other endpoints have no role here [REQ-19] [REQ-21] [HTTP-6]', async () => {
    const server = make(options);
    const more = { request_context: '{"shop":"ACME"}', nonce: 'n', state: 's', prompt: 'login', foo: 'bar' };
    expect((await ask(server, more)).status).toBe(200);
    const [view] = await server.ciba.requests.list('alice');
    expect(view?.requestContext).toEqual({ shop: 'ACME' });
  });

  it('is never answered by a code that speaks of an interaction [ERR-13]', async () => {
    const server = make({ ...options, ciba: { limits: false } });
    const answers = [];
    for (const prompt of ['none', 'login', 'consent']) {
      answers.push(
        await ask(server, { prompt, max_age: '0' }),
        await ask(server, { prompt, scope: 'profile' }),
      );
    }
    const errors = answers.map(({ body }) => body.error).filter(Boolean);
    for (const error of errors)
      expect(error).not.toMatch(/login_required|consent_required|interaction_required/);
    expect(errors.length).toBe(3);
  });

  it('stays as it was asked, whatever becomes of the client meanwhile [ACK-9] [REG-27]', async () => {
    const server = make({ ...options, config: { ...options.config, clients: [pollClient('till')] } });
    const clients = server.store.adapter('Client');
    const stored = { ...pollClient('changing'), client_name: 'Before' };
    await clients.upsert('changing', stored as never, 3600);
    const { body } = await ask(server, {}, { client: 'changing' });
    await clients.upsert(
      'changing',
      { ...stored, client_name: 'After', scope: 'openid profile' } as never,
      3600,
    );
    const view = await server.ciba.requests.get(server.ciba.requests.handleOf(body.auth_req_id));
    expect(view).toMatchObject({ clientName: 'Before', scope: 'openid' });
    await server.approve(body.auth_req_id);
    expect((await poll(server, body.auth_req_id, {}, { client: 'changing' })).body.scope).toBe('openid');
  });
});

onEveryStore('the token endpoint', (make) => {
  it('is polled by a client that is pinged as by one that polls [TOK-13]', async () => {
    const server = make(options);
    const { body } = await askPinged(server, 'a-token');
    expect((await poll(server, body.auth_req_id, {}, pinged)).body.error).toBe('authorization_pending');
    await server.approve(body.auth_req_id);
    expect((await poll(server, body.auth_req_id, {}, pinged)).status).toBe(200);
  });

  it('stands a client that polls without having been told [SEC-12]', async () => {
    const server = make(options);
    const { body } = await askPinged(server, 'a-token');
    for (let time = 0; time < 5; time += 1) {
      const { body: polled } = await poll(server, body.auth_req_id, {}, pinged);
      expect(['authorization_pending', 'slow_down']).toContain(polled.error);
    }
  });

  it('issues tokens that nobody can guess [TOK-16]', async () => {
    const server = make(options);
    const seen = new Set<string>();
    for (let time = 0; time < 5; time += 1) {
      const id = await asked(server, { scope: 'openid offline_access' });
      await server.approve(id);
      const { body } = await poll(server, id);
      for (const token of [body.access_token, body.refresh_token]) {
        // 22 characters of base64url are 132 bits.
        expect(token).toMatch(/^[\w-]{22,}$/);
        seen.add(token);
      }
    }
    expect(seen.size).toBe(10);
  });

  it.each([
    ['no auth_req_id', { auth_req_id: undefined }, 'invalid_request'],
    ['an empty one', { auth_req_id: '' }, 'invalid_request'],
    ['two of them', { auth_req_id: ['a', 'b'] }, 'invalid_request'],
    ['no grant_type', { grant_type: undefined }, 'invalid_request'],
    [
      'the grant type of nobody',
      { grant_type: 'urn:ietf:params:oauth:grant-type:ciba' },
      'unsupported_grant_type',
    ],
  ])('refuses %s [TERR-6] [TERR-9] [TOK-3] [HTTP-4]', async (_what, params, error) => {
    const server = make(options);
    const answer = await post(server, '/token', { grant_type: CIBA_GRANT, auth_req_id: 'a', ...params });
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error });
    expectErrorEnvelope(answer);
  });

  it('never keeps a client waiting for a person [POLL-7]', async () => {
    const server = make(options);
    const id = await asked(server);
    // It would wait for ever if it waited: nobody decides, and nothing moves the clock.
    expect((await poll(server, id)).body.error).toBe('authorization_pending');
  });
});

onEveryStore('a client with too many requests', (make) => {
  it('is told so with Retry-After, and nobody is prompted [HTTP-11] [SEC-14]', async () => {
    const prompts: string[] = [];
    const server = make({
      ...options,
      ciba: {
        limits: { pendingPerClient: 1, pendingPerAccountAndClient: false },
        channels: [{ name: 'inbox', send: async ({ handle }) => void prompts.push(handle) }],
      },
    });
    await asked(server);
    const over = await ask(server, { login_hint: 'bob' });
    expect({ status: over.status, after: over.headers['retry-after'] }).toEqual({ status: 429, after: '30' });
    expect(await server.ciba.requests.list('bob')).toEqual([]);
  });
});

onEveryStore('the endpoint', (make) => {
  it('is told to clients by discovery alone, over https where the issuer is [HTTP-1] [DISC-1] [FAPI-22]', async () => {
    const server = make({ ...options, issuer: 'https://op.example' });
    server.provider.proxy = true;
    const { body } = await request(server.app)
      .get('/.well-known/openid-configuration')
      .set({ host: 'op.example', 'x-forwarded-proto': 'https' });
    expect(body.backchannel_authentication_endpoint).toBe('https://op.example/backchannel');
  });
});
