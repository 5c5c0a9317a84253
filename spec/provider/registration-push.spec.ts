import type { ClientMetadata } from 'oidc-provider';
import request, { type Response } from 'supertest';
import { notificationEndpointOf } from '../../lib/provider/client-endpoint.js';
import {
  ask,
  CIBA_GRANT,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
  poll,
} from '../support/server.js';
import { pushClient } from './push-server.js';

const open: PluginServer[] = [];
const serve = (options: PluginServerOptions = {}): PluginServer => {
  const server = pluginServer({
    ...options,
    hooks: { deliveryModes: ['poll', 'ping', 'push'] },
    features: { registration: { enabled: true }, ...options.features },
  });
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const ENDPOINT = 'https://a.example/cb';
const push = {
  backchannel_token_delivery_mode: 'push',
  backchannel_client_notification_endpoint: ENDPOINT,
};
const ping = { ...push, backchannel_token_delivery_mode: 'ping', grant_types: [CIBA_GRANT] };

const register = async (server: PluginServer, body: object): Promise<Response> =>
  request(server.app).post('/reg').send(body);

async function expectRegistered(server: PluginServer, body: object): Promise<Response> {
  const registered = await register(server, body);
  expect({ status: registered.status, error: registered.body.error_description }).toEqual({
    status: 201,
    error: undefined,
  });
  return registered;
}

async function expectRefused(server: PluginServer, body: object, description?: string): Promise<void> {
  const { status, body: refused } = await register(server, body);
  expect({ status, ...refused }).toEqual({
    status: 400,
    error: 'invalid_client_metadata',
    error_description: description ?? expect.any(String),
  });
  expect(server.store.count('Client')).toBe(0);
}

describe('a client that registers itself for push', () => {
  it.each([
    ['none', { grant_types: [] }],
    ['another', { grant_types: ['refresh_token'] }],
    ['what is left unsaid', {}],
    ['the CIBA grant', { grant_types: [CIBA_GRANT] }],
  ])('may list as its grants: %s; and can ask, not poll [REG-4, TERR-7]', async (_what, more) => {
    const server = serve();
    const { body: client } = await expectRegistered(server, { ...push, ...more });
    expect(client).toMatchObject({ ...push, response_types: [], redirect_uris: [] });
    const credentials = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    const headers = { authorization: `Basic ${credentials}` };
    const { status, body } = await ask(server, { client_notification_token: 'token' }, { headers });
    expect(status).toBe(200);
    const polled = await poll(server, body.auth_req_id, {}, { headers });
    expect(polled.body.error).toBe('unauthorized_client');
  });

  it('may have a redirect flow besides [REG-4]', async () => {
    const { body } = await expectRegistered(serve(), {
      ...push,
      redirect_uris: ['https://a.example/back'],
    });
    expect(body).toMatchObject({
      response_types: ['code'],
      grant_types: ['authorization_code', CIBA_GRANT],
    });
  });

  it('authenticates, as every client of CIBA [REG-13]', async () => {
    await expectRefused(serve(), { ...push, token_endpoint_auth_method: 'none' });
  });
});

describe('the delivery mode', () => {
  it.each(['poll', 'ping'])('%s wants the CIBA grant listed [REG-3, REG-5]', async (mode) => {
    await expectRefused(
      serve(),
      { ...ping, backchannel_token_delivery_mode: mode, grant_types: ['refresh_token'], response_types: [] },
      `grant_types must have ${CIBA_GRANT} for a client of mode ${mode}`,
    );
  });

  it('that every client has by default is no reason to refuse one of other grants', async () => {
    const server = serve({ config: { clientDefaults: { backchannel_token_delivery_mode: 'poll' } } });
    await expectRegistered(server, { redirect_uris: ['https://a.example/back'] });
  });
});

describe('the notification endpoint of a client that registers itself', () => {
  it.each([
    ['ping', ping],
    ['push', push],
    ['push, with the grant', { ...push, grant_types: [CIBA_GRANT] }],
  ])('is mandatory for %s [REG-5]', async (_what, client) => {
    await expectRefused(
      serve(),
      { ...client, backchannel_client_notification_endpoint: undefined },
      'backchannel_client_notification_endpoint is mandatory property',
    );
  });

  it('is not for poll [REG-5]', async () => {
    const poll = { ...ping, backchannel_token_delivery_mode: 'poll' };
    await expectRegistered(serve(), { ...poll, backchannel_client_notification_endpoint: undefined });
  });

  it.each([
    ['http', 'http://a.example/cb', '[REG-6]'],
    ['ftp', 'ftp://a.example/cb', '[REG-6]'],
    ['a path', '/cb', '[REG-6]'],
    ['empty', '', '[REG-6]'],
    ['a number', 5, '[REG-6]'],
    ['a list', [ENDPOINT], '[REG-6]'],
    ['with a fragment', 'https://a.example/cb#x', '[REG-7]'],
    ['with a password', 'https://u:p@a.example/cb', '[REG-7]'],
    ['on another port', 'https://a.example:8443/cb', '[REG-7]'],
    ['inside the network', 'https://10.0.0.1/cb', '[REG-7]'],
    ['the metadata of a cloud', 'https://169.254.169.254/', '[REG-7]'],
    ['this machine', 'https://localhost/cb', '[REG-7]'],
  ])('must not be %s: %s %s', async (_what, endpoint, _ids) => {
    for (const client of [ping, push]) {
      await expectRefused(serve(), { ...client, backchannel_client_notification_endpoint: endpoint });
    }
  });

  it('may be where the server allows it [REG-7]', async () => {
    const server = serve({
      ciba: { delivery: { allowedPorts: [8443], allowedAddresses: ['10.0.0.0/8'] } },
    });
    const endpoint = 'https://10.0.0.1:8443/cb';
    await expectRegistered(server, { ...push, backchannel_client_notification_endpoint: endpoint });
  });

  it('may not be kept beside, nor use http on this machine, whatever the server allows [REG-6]', async () => {
    const server = serve({ ciba: { delivery: { allowLoopback: true } } });
    const endpoint = 'http://127.0.0.1:3000/cb';
    await expectRefused(server, { ...push, backchannel_client_notification_endpoint: endpoint });
    await expectRefused(
      server,
      { ...push, ciba_loopback_notification_endpoint: endpoint },
      'ciba_loopback_notification_endpoint cannot be registered',
    );
  });

  it('is looked at by the rules of the server too, after ours [REG-8] [SEC-7]', async () => {
    const server = serve({
      config: {
        extraClientMetadata: {
          properties: ['domain'],
          validator(_ctx, _key, domain, metadata): undefined {
            const endpoint = new URL(String(metadata.backchannel_client_notification_endpoint));
            if (endpoint.host !== domain) throw new Error('not the domain of the client');
          },
        },
      },
    });
    await expectRegistered(server, { ...push, domain: 'a.example' });
    expect((await register(server, { ...push, domain: 'b.example' })).status).toBe(500);
  });

  it('is in the answer [REG-17]', async () => {
    const { body } = await expectRegistered(serve(), push);
    expect(body.backchannel_client_notification_endpoint).toBe(ENDPOINT);
  });
});

describe("the notification endpoint of the administrator's client", () => {
  const of = async (client: Partial<ClientMetadata>, allowLoopback: boolean): Promise<string | undefined> => {
    const server = serve({
      config: { clients: [pushClient('pusher', client)] },
      ciba: { delivery: { allowLoopback } },
    });
    const found = await server.provider.Client.find('pusher');
    return found && notificationEndpointOf(found);
  };

  it.each(['http://127.0.0.1:3000/cb?a=b', 'http://localhost:3000/cb', 'http://[::1]:3000/cb', ENDPOINT])(
    'may be on this machine for development: %s',
    async (endpoint) => {
      expect(await of({ backchannel_client_notification_endpoint: endpoint }, true)).toBe(endpoint);
    },
  );

  it.each([
    ['this machine where that is not allowed', 'http://127.0.0.1:3000/cb', false],
    ['another machine without TLS', 'http://a.example/cb', true],
    ['inside the network', 'https://192.168.0.1/cb', true],
  ])('must not be %s [REG-6, REG-7]', async (_what, endpoint, allowLoopback) => {
    const found = of({ backchannel_client_notification_endpoint: endpoint }, allowLoopback);
    await expect(found).rejects.toMatchObject({ error: 'invalid_client_metadata' });
  });

  it('cannot be put beside where that is not allowed', async () => {
    const found = of({ ciba_loopback_notification_endpoint: 'http://127.0.0.1/cb' }, false);
    await expect(found).rejects.toMatchObject({ error: 'invalid_client_metadata' });
  });

  it('does not change what the server gave', async () => {
    const client = Object.freeze(
      pushClient('pusher', { backchannel_client_notification_endpoint: 'http://127.0.0.1:3000/cb' }),
    );
    serve({ config: { clients: [client] }, ciba: { delivery: { allowLoopback: true } } });
    expect(client.backchannel_client_notification_endpoint).toBe('http://127.0.0.1:3000/cb');
  });
});

describe('a client from before the rules for endpoints', () => {
  it('goes on with its other grants [REG-7]', async () => {
    const server = serve();
    const endpoint = 'https://a.example:8443/cb';
    const client = pushClient('old', { backchannel_client_notification_endpoint: endpoint });
    await server.store.adapter('Client').upsert('old', client as never);
    const { provider } = server;
    expect(await provider.Client.find('old')).toMatchObject({
      backchannelClientNotificationEndpoint: endpoint,
    });
  });
});

describe('a pairwise client that registers itself for push', () => {
  const KEYS = 'https://keys.example/jwks';
  const pairwise = {
    ...push,
    subject_type: 'pairwise',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: KEYS,
  };
  const serveSectors = (documents: Readonly<Record<string, readonly string[]>> = {}): PluginServer =>
    serve({
      config: {
        subjectTypes: ['public', 'pairwise'],
        pairwiseIdentifier: async (_ctx, accountId) => accountId,
        fetch: async (url) => Response.json(documents[String(url)] ?? [], { status: 200 }),
      },
      features: { deviceFlow: { enabled: true } },
    });
  const sectorOf = async (server: PluginServer, body: object): Promise<unknown> => {
    const registered = await expectRegistered(server, body);
    return (await server.provider.Client.find(registered.body.client_id))?.['sectorIdentifier'];
  };

  it('has the sector of its endpoint’s host [REG-23]', async () => {
    const server = serveSectors();
    expect(await sectorOf(server, pairwise)).toBe('a.example');
    const other = { ...pairwise, backchannel_client_notification_endpoint: 'https://b.example/other' };
    expect(await sectorOf(server, other)).toBe('b.example');
  });

  it('has the sector that a document says, which must say so [REG-23]', async () => {
    const sector = 'https://sector.example/list';
    const client = { ...pairwise, sector_identifier_uri: sector };
    expect(await sectorOf(serveSectors({ [sector]: [KEYS, ENDPOINT] }), client)).toBe('sector.example');
    await expectRefused(serveSectors({ [sector]: [ENDPOINT] }), client);
  });

  it.each([
    ['a redirect flow', { redirect_uris: ['https://evil.example/back'], response_types: ['code'] }],
    ['devices', { grant_types: ['urn:ietf:params:oauth:grant-type:device_code'], response_types: [] }],
  ])('cannot claim the sector of its endpoint where it gets subjects by %s [REG-25]', async (_what, more) => {
    await expectRefused(serveSectors(), { ...pairwise, ...more });
    await expectRefused(serveSectors(), { ...pairwise, ...more, sector_identifier_uri: ENDPOINT });
  });
});
