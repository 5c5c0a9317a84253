import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import type { PluginServer } from '../support/server.js';

const { privateKey, publicKey } = await generateKeyPair('ES256');
const jwk = { ...(await exportJWK(publicKey)), kid: 'signer-key', alg: 'ES256' };

const clients = [
  pollClient('basic', { ciba_polling_interval: 1 }),
  pollClient('post', { token_endpoint_auth_method: 'client_secret_post', ciba_polling_interval: 1 }),
  pollClient('signer', {
    client_secret: undefined,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks_uri: 'https://signer.example/jwks',
    ciba_polling_interval: 1,
  }),
];

onEveryStore('openid-client completes the flow', (make) => {
  let server: PluginServer;
  let origin: URL;
  let close: () => void;

  beforeEach(async () => {
    server = make({
      config: { clients, fetch: async () => Response.json({ keys: [jwk] }) },
      ciba: { verifyUserCode: undefined },
    });
    const listener = server.app.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    origin = new URL(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
    close = () => {
      listener.closeAllConnections();
      listener.close();
    };
  });
  afterEach(() => close());

  /** The client's view of the server; its issuer is not the address that it is reached at here. */
  async function configurationOf(
    id: string,
    authentication: client.ClientAuth,
  ): Promise<client.Configuration> {
    const metadata = (await (
      await fetch(new URL('/.well-known/openid-configuration', origin))
    ).json()) as object;
    const config = new client.Configuration(metadata as client.ServerMetadata, id, undefined, authentication);
    client.allowInsecureRequests(config);
    return config;
  }

  const methods: readonly (readonly [method: string, id: string, authentication: () => client.ClientAuth])[] =
    [
      ['client_secret_basic', 'basic', () => client.ClientSecretBasic('basic-secret')],
      ['client_secret_post', 'post', () => client.ClientSecretPost('post-secret')],
      ['private_key_jwt', 'signer', () => client.PrivateKeyJwt({ key: privateKey, kid: 'signer-key' })],
    ];

  it.each(methods)('with %s [CA-1] [CA-5] [TOK-1]', async (_method, id, authentication) => {
    const config = await configurationOf(id, authentication());
    const asked = await client.initiateBackchannelAuthentication(config, {
      scope: 'openid offline_access',
      login_hint: 'alice@op.example',
      binding_message: 'Pay 12.50 EUR to ACME',
    });
    expect(asked).toEqual({ auth_req_id: expect.any(String), expires_in: 300, interval: 1 });

    await server.approve(asked.auth_req_id);
    const tokens = await client.pollBackchannelAuthenticationGrant(config, asked);
    expect(tokens.claims()).toMatchObject({ iss: 'http://op.example', sub: 'alice', aud: id });
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, 'alice');
    expect(userinfo.sub).toBe('alice');
    const refreshed = await client.refreshTokenGrant(config, String(tokens.refresh_token));
    expect(refreshed.claims()?.sub).toBe('alice');
    expect((await client.tokenIntrospection(config, tokens.access_token)).active).toBe(true);
  });

  it('and is told of a denial that comes while it polls', async () => {
    const config = await configurationOf('basic', client.ClientSecretBasic('basic-secret'));
    const asked = await client.initiateBackchannelAuthentication(config, {
      scope: 'openid',
      login_hint: 'alice',
    });
    // The person decides when the client has polled for the first time.
    server.ciba.on('poll.pending', () => void server.deny(asked.auth_req_id, 'not my order'));
    await expect(client.pollBackchannelAuthenticationGrant(config, asked)).rejects.toMatchObject({
      error: 'access_denied',
      error_description: 'not my order',
    });
  });

  it('and is told what was wrong with a request', async () => {
    const config = await configurationOf('basic', client.ClientSecretBasic('basic-secret'));
    const params = { scope: 'openid', login_hint: 'mallory' };
    await expect(client.initiateBackchannelAuthentication(config, params)).rejects.toMatchObject({
      status: 400,
      error: 'unknown_user_id',
    });
  });
});
