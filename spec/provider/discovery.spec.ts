import request from 'supertest';
import { pollClient } from '../support/configuration.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  formOf,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
  poll,
  TOKEN,
} from '../support/server.js';
import { mTLS, startTlsServer } from '../support/tls-server.js';

async function metadata(options: PluginServerOptions): Promise<Record<string, unknown>> {
  const { status, body } = await request(pluginServer(options).app).get('/.well-known/openid-configuration');
  expect(status).toBe(200);
  return body;
}

describe('the discovery document', () => {
  it('says that tokens can be bound to certificates [DISC-9] [FAPI-13]', async () => {
    const member = 'tls_client_certificate_bound_access_tokens';
    expect(await metadata({ features: { mTLS: mTLS as never } })).toMatchObject({ [member]: true });
    expect(await metadata({})).not.toHaveProperty(member);
  });

  it('names the algorithms of DPoP proofs, none of which is symmetric [DISC-10]', async () => {
    const member = 'dpop_signing_alg_values_supported';
    const { [member]: algorithms } = await metadata({ features: { dPoP: { enabled: true } } });
    expect(algorithms).toContain('ES256');
    for (const algorithm of algorithms as string[]) expect(algorithm).not.toMatch(/^(HS|none)/);
    expect(await metadata({ features: { dPoP: { enabled: false } } })).not.toHaveProperty(member);
  });

  it('names the types of authorization details, each of which can be asked for [DISC-11] [RAR-1]', async () => {
    const validate = (): void => {};
    const options: PluginServerOptions = {
      config: { clients: [pollClient('till', { authorization_details_types: ['payment', 'account'] })] },
      features: {
        resourceIndicators: {
          enabled: true,
          defaultResource: () => 'https://api.example',
          getResourceServerInfo: () => ({ scope: 'openid' }),
        },
        richAuthorizationRequests: {
          enabled: true,
          types: { payment: { validate }, account: { validate } },
        } as never,
      },
    };
    const member = 'authorization_details_types_supported';
    const { [member]: types } = await metadata(options);
    expect(types).toEqual(['payment', 'account']);
    for (const type of types as string[]) {
      const details = { authorization_details: JSON.stringify([{ type }]) };
      expect((await ask(pluginServer(options), details)).status).toBe(200);
    }
    expect(await metadata({})).not.toHaveProperty(member);
  });

  it('names the authentication context classes, each of which can be asked for and reached [DISC-12] [REQ-12]', async () => {
    const options: PluginServerOptions = {
      config: { acrValues: ['urn:example:gold', 'urn:example:silver'], claims: { openid: ['sub', 'acr'] } },
    };
    const { acr_values_supported: classes } = await metadata(options);
    expect(classes).toEqual(['urn:example:gold', 'urn:example:silver']);
    const server = pluginServer(options);
    for (const acr of classes as string[]) {
      const authReqId = await asked(server, { acr_values: acr });
      await server.approve(authReqId, { acr });
      const { id_token } = (await poll(server, authReqId)).body;
      const claims = JSON.parse(Buffer.from(String(id_token.split('.')[1]), 'base64url').toString());
      expect(claims.acr).toBe(acr);
    }
    expect(await metadata({})).not.toHaveProperty('acr_values_supported');
  });

  it('has the server’s own addresses for mutual TLS, where certificates are taken [DISC-8]', async () => {
    let server: PluginServer | undefined;
    const tls = await startTlsServer((origin) => {
      server = pluginServer({
        config: {
          clientAuthMethods: ['client_secret_basic', 'tls_client_auth'],
          discovery: {
            mtls_endpoint_aliases: {
              token_endpoint: `${origin}${TOKEN}`,
              backchannel_authentication_endpoint: `${origin}${BACKCHANNEL}`,
            },
          },
          clients: [
            pollClient('pki', {
              client_secret: undefined,
              token_endpoint_auth_method: 'tls_client_auth',
              tls_client_auth_subject_dn: 'CN=pki',
            }),
          ],
        },
        features: { mTLS: mTLS as never },
      });
      return server.app;
    });
    try {
      const { body } = await request(server?.app as PluginServer['app']).get(
        '/.well-known/openid-configuration',
      );
      const aliases = body.mtls_endpoint_aliases;
      expect(body.backchannel_authentication_endpoint).not.toBe(aliases.backchannel_authentication_endpoint);
      const fetchAs = tls.fetchAs(await tls.authority.issue(undefined, undefined, 'CN=pki'));
      const post = async (url: string, form: Record<string, string>): Promise<Record<string, string>> => {
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const answer = await fetchAs(url, {
          method: 'POST',
          headers,
          body: formOf({ client_id: 'pki', ...form }),
        });
        return (await answer.json()) as Record<string, string>;
      };
      const form = { scope: 'openid', login_hint: 'alice' };
      const { auth_req_id = '' } = await post(aliases.backchannel_authentication_endpoint, form);
      await server?.approve(auth_req_id);
      const grant_type = 'urn:openid:params:grant-type:ciba';
      expect(await post(aliases.token_endpoint, { grant_type, auth_req_id })).toHaveProperty('access_token');
    } finally {
      await tls.close();
    }
  });
});
