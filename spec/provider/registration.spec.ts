import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import {
  ask,
  CIBA_GRANT,
  ISSUER,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
  poll,
} from '../support/server.js';

const registering = (options: PluginServerOptions = {}): PluginServer =>
  pluginServer({ ...options, features: { registration: { enabled: true }, ...options.features } });

const register = async (server: PluginServer, body: object): Promise<Response> =>
  request(server.app).post('/reg').send(body);

/** A client as in CIBA Core 4: it has no redirect flow and says nothing of one. */
const client = {
  client_name: 'My Example Client',
  grant_types: [CIBA_GRANT],
  backchannel_token_delivery_mode: 'poll',
};

onEveryStore('a client that registers itself', (make) => {
  it('needs neither redirect_uris nor response_types, and can ask at once [REG-3] [REG-14] [REG-17] [REG-18]', async () => {
    const server = make({ features: { registration: { enabled: true } } });
    const registered = await register(server, { ...client, client_id: 'my-own-name' });
    expect(registered.status).toBe(201);
    expect(registered.headers['cache-control']).toContain('no-store');
    expect(registered.body).toMatchObject({
      grant_types: [CIBA_GRANT],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: 'poll',
      client_secret_expires_at: 0,
    });
    const { client_id: clientId, client_secret: secret } = registered.body;
    expect(clientId).not.toBe('my-own-name');

    const headers = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` };
    const { status, body } = await ask(server, {}, { headers });
    expect(status).toBe(200);
    await server.approve(body.auth_req_id);
    expect((await poll(server, body.auth_req_id, {}, { headers })).status).toBe(200);
  });
});

describe('what a client may register', () => {
  let server: PluginServer;
  beforeEach(() => {
    server = registering({ ciba: { interval: 6, maxExpiry: 400 } });
  });
  afterEach(() => server.close());

  it.each([
    ['empty lists for the redirect flow', '[REG-14]', { redirect_uris: [], response_types: [] }, {}],
    [
      'what nobody knows, which is left out',
      '[REG-16]',
      { x_foo: 'bar', token_endpoint: 'https://a.example' },
      {},
    ],
    ['an interval that is longer', '', { ciba_polling_interval: 30 }, { ciba_polling_interval: 30 }],
    ['the interval of the server', '', { ciba_polling_interval: 6 }, { ciba_polling_interval: 6 }],
    ['a life that is shorter', '', { ciba_max_expiry: 60, ciba_default_expiry: 30 }, { ciba_max_expiry: 60 }],
    [
      'the redirect flow besides',
      '',
      { grant_types: [CIBA_GRANT, 'authorization_code'], redirect_uris: ['https://a.example/cb'] },
      { response_types: ['code'] },
    ],
    [
      'a user code, where the server can verify one',
      '[REG-12]',
      { backchannel_user_code_parameter: true },
      { backchannel_user_code_parameter: true },
    ],
  ])('is %s %s', async (_what, _ids, more, expected) => {
    const registered = await register(server, { ...client, ...more });
    expect({ status: registered.status, error: registered.body.error_description }).toEqual({
      status: 201,
      error: undefined,
    });
    expect(registered.body).toMatchObject(expected);
    expect(registered.body).not.toHaveProperty('x_foo');
  });

  it.each([
    ['no delivery mode', '[REG-1]', { backchannel_token_delivery_mode: undefined }],
    ['a mode that does not exist', '[REG-2]', { backchannel_token_delivery_mode: 'pull' }],
    ['a mode in capitals', '[REG-2]', { backchannel_token_delivery_mode: 'POLL' }],
    ['two modes', '[REG-2]', { backchannel_token_delivery_mode: ['poll'] }],
    [
      'a mode that is not offered',
      '[REG-2]',
      {
        backchannel_token_delivery_mode: 'ping',
        backchannel_client_notification_endpoint: 'https://a.example/cb',
      },
    ],
    ['no authentication', '[REG-13]', { token_endpoint_auth_method: 'none' }],
    ['a user code flag that is text', '[REG-12]', { backchannel_user_code_parameter: 'true' }],
    ['an interval that is shorter than the server’s', '', { ciba_polling_interval: 5 }],
    ['an interval that is too long', '', { ciba_polling_interval: 61 }],
    ['an interval that is text', '', { ciba_polling_interval: '10' }],
    ['an interval of no length', '', { ciba_polling_interval: 0 }],
    ['a part of a second', '', { ciba_polling_interval: 7.5 }],
    ['a life that is longer than the server’s', '', { ciba_max_expiry: 401 }],
    ['a life of no length', '', { ciba_max_expiry: 0 }],
    ['a usual life that is longer than the server’s', '', { ciba_default_expiry: 401 }],
    ['both kinds of keys', '[REG-19]', { jwks: { keys: [] }, jwks_uri: 'https://a.example/jwks' }],
    ['a pairwise subject without keys of its own', '[REG-20]', { subject_type: 'pairwise' }],
  ])('is not %s %s', async (_what, _ids, more) => {
    const refused = await register(server, { ...client, ...more });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 400,
      error: 'invalid_client_metadata',
    });
    expect(server.store.count('Client')).toBe(0);
  });

  it('leaves clients of other grants alone', async () => {
    const registered = await register(server, {
      redirect_uris: ['https://a.example/cb'],
      token_endpoint_auth_method: 'none',
    });
    expect({ status: registered.status, types: registered.body.response_types }).toEqual({
      status: 201,
      types: ['code'],
    });
  });
});

describe('user codes where nothing verifies them', () => {
  it('cannot be registered for [REG-12]', async () => {
    const server = registering({
      config: { clients: [pollClient('till')] },
      ciba: { verifyUserCode: undefined },
    });
    const refused = await register(server, { ...client, backchannel_user_code_parameter: true });
    expect({ status: refused.status, description: refused.body.error_description }).toEqual({
      status: 400,
      description: 'backchannel_user_code_parameter is not supported by this server',
    });
    await server.close();
  });

  it('may be verified by the server’s own hook instead [DISC-5]', async () => {
    const server = registering({
      ciba: { verifyUserCode: undefined },
      hooks: { verifyUserCode: async () => {} },
    });
    const { body } = await request(server.app).get('/.well-known/openid-configuration');
    expect(body.backchannel_user_code_parameter_supported).toBe(true);
    expect((await register(server, { ...client, backchannel_user_code_parameter: true })).status).toBe(201);
    await server.close();
  });
});

describe('a client of the administrator’s', () => {
  it('may be less strict than the server, within the legal range', async () => {
    const server = pluginServer({
      config: { clients: [pollClient('till', { ciba_polling_interval: 1, ciba_max_expiry: 86_400 })] },
    });
    expect((await ask(server, { requested_expiry: '86400' })).body).toMatchObject({
      interval: 1,
      expires_in: 86_400,
    });
    await server.close();
  });

  it.each([
    [{ ciba_polling_interval: 0 }, 'ciba_polling_interval must be a whole number of seconds from 1 to 60'],
    [{ ciba_max_expiry: 86_401 }, 'ciba_max_expiry must be a whole number of seconds from 10 to 86400'],
  ])('is refused with a sentence for %j', async (more, sentence) => {
    const server = pluginServer({ config: { clients: [pollClient('till', more)] } });
    await expect(server.provider.Client.find('till')).rejects.toMatchObject({
      error: 'invalid_client_metadata',
      error_description: expect.stringContaining(sentence),
    });
    await server.close();
  });
});

describe('a client whose id is a URL', () => {
  it('and that the administrator has entered, may be less strict than the server', async () => {
    const client = pollClient('https://till.example', { ciba_polling_interval: 2 });
    const server = pluginServer({ config: { clients: [client] } });
    expect(await server.provider.Client.find('https://till.example')).toMatchObject({
      ciba_polling_interval: 2,
    });
    await server.close();
  });
});

describe('a client from before the plugin, that registration would refuse now,', () => {
  it('and does not authenticate, goes on with its other grants and is refused at the endpoint [REG-13]', async () => {
    const publicClient = pollClient('kiosk', { token_endpoint_auth_method: 'none' as const });
    const server = pluginServer({ config: { clients: [publicClient] } });
    expect(await server.provider.Client.find('kiosk')).toMatchObject({ clientId: 'kiosk' });
    const asking = { client_id: 'kiosk', scope: 'openid', login_hint: 'alice' };
    const { status, body } = await request(server.app).post('/backchannel').type('form').send(asking);
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'unauthorized_client' });
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    await server.close();
  });

  it('and wants user codes that nobody checks, is never asked for one in vain [UC-1]', async () => {
    const coder = pollClient('coder', { backchannel_user_code_parameter: true });
    const server = pluginServer({ config: { clients: [coder] }, ciba: { verifyUserCode: undefined } });
    const refused = await ask(server, { user_code: '1' }, { client: 'coder' });
    expect(refused.body).toMatchObject({ error: 'invalid_request' });
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    await server.close();
  });
});

describe('the discovery document', () => {
  it('says what works, and nothing else [DISC-1] [DISC-2] [DISC-3] [DISC-4] [DISC-5] [DISC-7]', async () => {
    const server = pluginServer();
    const { body } = await request(server.app)
      .get('/.well-known/openid-configuration')
      .set('host', 'op.example');
    expect(body.issuer).toBe(ISSUER);
    expect(body.backchannel_authentication_endpoint).toBe(`${ISSUER}/backchannel`);
    expect(body.backchannel_token_delivery_modes_supported).toEqual(['poll']);
    expect(body.grant_types_supported).toContain(CIBA_GRANT);
    expect(body.backchannel_user_code_parameter_supported).toBe(true);
    expect(body).not.toHaveProperty('backchannel_authentication_request_signing_alg_values_supported');
    await server.close();
  });

  it('names the endpoint where it is mounted, and it is there [DISC-1]', async () => {
    const server = pluginServer({ mount: '/oidc' });
    const { body } = await request(server.app)
      .get('/oidc/.well-known/openid-configuration')
      .set('host', 'op.example');
    expect(body.backchannel_authentication_endpoint).toBe(`${ISSUER}/oidc/backchannel`);
    const endpoint = new URL(body.backchannel_authentication_endpoint).pathname;
    expect((await request(server.app).get(endpoint)).status).toBe(405);
    await server.close();
  });

  it('is of the routes that the server chose', async () => {
    const server = pluginServer({
      config: { routes: { backchannel_authentication: '/ask', token: '/tokens' } },
    });
    const { body } = await request(server.app)
      .get('/.well-known/openid-configuration')
      .set('host', 'op.example');
    expect(body.backchannel_authentication_endpoint).toBe(`${ISSUER}/ask`);
    for (const path of ['/ask', '/tokens']) expect((await request(server.app).get(path)).status).toBe(405);
    await server.close();
  });
});
