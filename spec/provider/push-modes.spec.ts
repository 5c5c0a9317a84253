import Provider, { type Configuration } from 'oidc-provider';
import { type CibaFeature, type ConfigurationWithCiba, createCiba } from 'oidc-provider-ciba';
import request from 'supertest';
import { baseConfiguration, pollClient } from '../support/configuration.js';
import { PlainStore } from '../support/plain-adapter.js';
import { ask, ISSUER, type PluginServer, pluginServer, poll } from '../support/server.js';
import { pushClient } from './push-server.js';

type Modes = CibaFeature['deliveryModes'];

const config = (deliveryModes: unknown): Configuration => {
  const base = baseConfiguration();
  return {
    ...base,
    adapter: new PlainStore(() => Date.now()).adapter,
    clients: [pollClient('till'), pushClient('pusher')],
    features: { ...base.features, ciba: { enabled: true, deliveryModes } } as never,
  };
};

describe('native row 3: push', () => {
  it('bare oidc-provider refuses it at the start', () => {
    expect(() => new Provider(ISSUER, config(['poll', 'push']))).toThrow(
      'only poll and ping CIBA delivery modes are supported',
    );
  });

  it('with the plugin it starts', async () => {
    const ciba = createCiba();
    const made = ciba.configure(config(['poll', 'push']) as ConfigurationWithCiba);
    expect(() => new Provider(ISSUER, made)).not.toThrow();
    await ciba.close();
  });
});

describe('the delivery modes that a server offers', () => {
  const open: PluginServer[] = [];
  const serve = (deliveryModes: Modes): PluginServer => {
    const server = pluginServer({
      config: { clients: [pollClient('till'), pushClient('pusher')] },
      hooks: deliveryModes === undefined ? {} : { deliveryModes },
    });
    open.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });

  it.each<[string, Modes, readonly string[]]>([
    ['a list', ['poll', 'ping', 'push'], ['poll', 'ping', 'push']],
    ['a Set', new Set(['push', 'poll'] as const), ['push', 'poll']],
    ['push alone', ['push'], ['push']],
    ['ping alone', ['ping'], ['ping']],
    ['nothing', undefined, ['poll']],
  ])('are in the discovery document, given as %s [DISC-2]', async (_what, modes, published) => {
    const { body } = await request(serve(modes).app).get('/.well-known/openid-configuration');
    expect(body.backchannel_token_delivery_modes_supported).toEqual(published);
  });

  it.each([
    ['a mode that does not exist', ['poll', 'pull'], 'has pull, which does not exist'],
    ['no mode', [], 'must not be empty'],
    ['text', 'push', 'must be a list or a Set'],
  ])('cannot be %s', (_what, modes, sentence) => {
    expect(() => createCiba().configure(config(modes) as ConfigurationWithCiba)).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: `features.ciba.deliveryModes ${sentence}`,
      }),
    );
  });

  it('do not change the Set that the server gave', async () => {
    const modes = Object.freeze(new Set(['push'] as const));
    serve(modes);
    expect([...modes]).toEqual(['push']);
  });

  it('are all of them for a client of the server that was looked up too early [REG-2]', async () => {
    const ciba = createCiba();
    const made = ciba.configure(config(['poll', 'push']) as ConfigurationWithCiba);
    const provider = new Provider(ISSUER, made);
    await expect(provider.Client.find('pusher')).rejects.toMatchObject({ error: 'invalid_client_metadata' });
    ciba.router(provider);
    expect(await provider.Client.find('pusher')).toMatchObject({ backchannelTokenDeliveryMode: 'push' });
    await ciba.close();
  });

  it('say whom the endpoint takes requests of: a push client, with nothing to poll for [PUSH-6, ACK-6, TERR-7]', async () => {
    const server = serve(['push']);
    const params = { client_notification_token: 'token' };
    const acknowledged = await ask(server, params, { client: 'pusher' });
    expect(acknowledged.body).toEqual({ auth_req_id: expect.any(String), expires_in: 300 });
    const polled = await poll(server, acknowledged.body.auth_req_id, {}, { client: 'pusher' });
    expect({ status: polled.status, error: polled.body.error }).toEqual({
      status: 400,
      error: 'unauthorized_client',
    });
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
    await expect(server.provider.Client.find('till')).rejects.toMatchObject({
      error: 'invalid_client_metadata',
    });
  });

  it('say that a push client sends a token for its endpoint', async () => {
    const refused = await ask(serve(['push']), {}, { client: 'pusher' });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 400,
      error: 'invalid_request',
    });
  });
});
