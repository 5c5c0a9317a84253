import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { decodeJwt, exportJWK, SignJWT } from 'jose';
import { errors } from 'oidc-provider';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { oidcProviderHas } from '../support/oidc-provider.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  ISSUER,
  introspect,
  type Params,
  type PluginServer,
  type PluginServerOptions,
  poll,
  post,
  TOKEN,
} from '../support/server.js';

const [API, SHOP, BANK] = ['https://api.example', 'https://shop.example/v1', 'https://bank.example'];
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...(await exportJWK(signing.publicKey)), kid: 'signing' };

/** The server knows three resources, one of which is only for the kiosk. */
const options: PluginServerOptions = {
  config: {
    clients: [
      pollClient('till'),
      pollClient('kiosk'),
      pollClient('signer', {
        backchannel_authentication_request_signing_alg: 'ES256',
        jwks_uri: 'https://signer.example/jwks',
      }),
    ],
    fetch: async () => Response.json({ keys: [jwk] }),
  },
  features: {
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource, { clientId }) => {
        if (resource === API) return { scope: 'openid read', accessTokenFormat: 'jwt' };
        if (resource === SHOP) return { scope: 'openid buy', accessTokenFormat: 'opaque' };
        if (resource === BANK && clientId === 'kiosk')
          return { scope: 'openid', accessTokenFormat: 'opaque' };
        throw new errors.InvalidTarget('no such resource');
      },
    },
  },
};

const BOTH: Params = { scope: 'openid read buy offline_access', resource: [API, SHOP] };

async function approved(server: PluginServer, params: Params = BOTH): Promise<string> {
  const authReqId = await asked(server, params);
  await server.approve(authReqId);
  return authReqId;
}

onEveryStore('the resources of a request', (make) => {
  it.each([
    ['that is no URI [RES-1]', 'foo'],
    ['that is relative [RES-1]', '/api'],
    ['with a fragment [RES-1]', `${API}#x`],
    ['that nobody knows [RES-3]', 'https://unknown.example'],
    ['that is another client’s [RES-3]', BANK],
  ])('are refused for one %s, and nobody is asked', async (_what, resource) => {
    const server = make(options);
    for (const asked of [resource, [API, resource]]) {
      await expectRefused(server, () => ask(server, { resource: asked }), { error: 'invalid_target' });
    }
  });

  it('may be several, which the person is shown [RES-2]', async () => {
    const server = make(options);
    const authReqId = await asked(server, BOTH);
    const view = await server.ciba.requests.get(server.ciba.requests.handleOf(authReqId));
    expect(view?.resources).toEqual([API, SHOP]);
  });

  it('are an array in a signed request, or one text [RES-2]', async () => {
    const server = make(options);
    const now = Math.floor(Date.now() / 1000);
    for (const resource of [[API, SHOP], API]) {
      const claims = { iss: 'signer', aud: ISSUER, iat: now, nbf: now, exp: now + 60, jti: randomUUID() };
      const signed = await new SignJWT({ ...claims, scope: 'openid', login_hint: 'alice', resource })
        .setProtectedHeader({ alg: 'ES256', kid: 'signing' })
        .sign(signing.privateKey);
      const { body } = await post(server, BACKCHANNEL, { request: signed }, { client: 'signer' });
      const view = await server.ciba.requests.get(server.ciba.requests.handleOf(body.auth_req_id));
      expect(view?.resources).toEqual([resource].flat());
    }
  });
});

onEveryStore('a token request of an approved one', (make) => {
  const bounded = oidcProviderHas('scopes of one resource');
  const scopes = bounded ? 'with its scopes alone' : 'with every scope, as oidc-provider before 9.13 has it';
  it(`picks one of the resources, and the token is for that alone, ${scopes} [RES-4] [RES-5]`, async () => {
    const server = make(options);
    const scope = (own: string) => (bounded ? own : BOTH['scope']);
    const api = await poll(server, await approved(server), { resource: API });
    expect({ status: api.status, scope: api.body.scope }).toEqual({
      status: 200,
      scope: scope('openid read'),
    });
    expect(decodeJwt(api.body.access_token)).toMatchObject({ aud: API, scope: scope('openid read') });
    const shop = await poll(server, await approved(server), { resource: SHOP });
    expect(await introspect(server, shop.body.access_token)).toMatchObject({
      aud: SHOP,
      scope: scope('openid buy'),
    });
  });

  it('of one resource may be for that one without saying so, where the server has it so [RES-5]', async () => {
    const server = make({
      ...options,
      features: {
        resourceIndicators: {
          ...(options.features?.resourceIndicators as object),
          enabled: true,
          useGrantedResource: () => true,
        },
      },
    });
    const authReqId = await approved(server, { scope: 'openid read', resource: API });
    const { body } = await poll(server, authReqId);
    expect(decodeJwt(body.access_token).aud).toBe(API);
  });

  it.each<[string, string | string[]]>([
    ['one that was not asked for [RES-4]', BANK],
    ['one that nobody knows [RES-3]', 'https://unknown.example'],
    ['one beside those [RES-4]', [API, BANK]],
    ['no URI [RES-1] [RES-3]', 'foo'],
    ['one with a fragment [RES-1] [RES-3]', `${API}#x`],
    ['several, of which a token has one', [API, SHOP]],
  ])('is refused for %s, and the approval stays [RES-3]', async (_what, resource) => {
    const server = make(options);
    const authReqId = await approved(server);
    const refused = await poll(server, authReqId, { resource });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 400,
      error: 'invalid_target',
    });
    expectErrorEnvelope(refused);
    expect(server.store.count('AccessToken')).toBe(0);
    expect((await poll(server, authReqId, { resource: API })).status).toBe(200);
  });

  it('does not get at a resource of a request that was for none [RES-4]', async () => {
    const server = make(options);
    const authReqId = await approved(server, {});
    expect((await poll(server, authReqId, { resource: API })).body.error).toBe('invalid_target');
    const { body } = await poll(server, authReqId);
    expect(await introspect(server, body.access_token)).not.toHaveProperty('aud');
  });

  it('leaves the other resources to refreshes [RES-4] [RES-5]', async () => {
    const server = make(options);
    const { refresh_token } = (await poll(server, await approved(server), { resource: API })).body;
    const refresh = (resource: string) =>
      post(server, TOKEN, { grant_type: 'refresh_token', refresh_token, resource });
    const { body } = await refresh(SHOP);
    expect(await introspect(server, body.access_token)).toMatchObject({ aud: SHOP });
    expect((await refresh(BANK)).body.error).toBe('invalid_target');
  });
});
