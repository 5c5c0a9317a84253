import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { ClientMetadata } from 'oidc-provider';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectRefused } from '../support/refusal.js';
import { CIBA_GRANT, type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';

const ISSUER = 'https://op.example';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const [own, dpop, rsa] = await Promise.all([
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('PS256', { extractable: true }),
]);
const serverKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const keys = [
  { ...(await exportJWK(own.publicKey)), kid: 'own' },
  { ...(await exportJWK(rsa.publicKey)), kid: 'rsa' },
];
const fetch = async () => globalThis.Response.json({ keys });

/** A client that keeps to the profile. */
const bank: ClientMetadata = pollClient('bank', {
  client_secret: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  backchannel_authentication_request_signing_alg: 'ES256',
  id_token_signed_response_alg: 'PS256',
  dpop_bound_access_tokens: true,
  jwks_uri: 'https://bank.example/jwks',
});

const options = (
  more: Partial<ClientMetadata> = {},
  ciba: PluginServerOptions['ciba'] = { profile: 'fapi-ciba' },
) =>
  ({
    issuer: ISSUER,
    ciba,
    config: {
      clients: [{ ...bank, ...more }],
      fetch,
      jwks: { keys: [{ ...serverKey, kid: 'op', use: 'sig', alg: 'PS256' } as never] },
      acrValues: ['urn:example:strong', 'urn:example:weak'],
      claims: { openid: ['sub', 'acr'] },
      enabledJWA: {
        idTokenSigningAlgValues: ['PS256', 'ES256', 'RS256'],
        requestObjectSigningAlgValues: ['PS256', 'ES256', 'RS256'],
      },
    },
    features: {
      requestObjects: { enabled: true },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
      } as never,
      encryption: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://api.example',
        getResourceServerInfo: () => ({ scope: 'openid' }),
      },
      richAuthorizationRequests: { enabled: true, types: { payment: { validate: () => {} } } } as never,
      registration: { enabled: true },
    },
  }) satisfies PluginServerOptions;

const now = (): number => Math.floor(Date.now() / 1000);
const sign = (claims: JWTPayload, header: object = {}, key = own.privateKey): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'own', ...header }).sign(key);

const assertion = (header: object = {}, key = own.privateKey): Promise<string> =>
  sign(
    { iss: 'bank', sub: 'bank', aud: ISSUER, jti: randomUUID(), iat: now(), exp: now() + 60 },
    header,
    key,
  );

const claimsOf = (more: Record<string, unknown> = {}): JWTPayload =>
  Object.fromEntries(
    Object.entries({
      iss: 'bank',
      aud: ISSUER,
      iat: now(),
      nbf: now(),
      exp: now() + 300,
      jti: randomUUID(),
      scope: 'openid',
      login_hint: 'alice',
      binding_message: 'Pay 12.50 EUR',
      ...more,
    }).filter(([, value]) => value !== undefined),
  );

const post = async (
  server: PluginServer,
  path: string,
  form: Record<string, string>,
  headers = {},
): Promise<Response> =>
  request(server.app)
    .post(path)
    .set('host', 'op.example')
    .set(headers)
    .type('form')
    .send({ client_assertion_type: JWT_BEARER, client_assertion: await assertion(), ...form });

const ask = async (server: PluginServer, more: Record<string, unknown> = {}): Promise<Response> =>
  post(server, '/backchannel', { request: await sign(claimsOf(more)) });

/** Polls with a proof of the client's key, or without one. */
async function redeem(server: PluginServer, authReqId: string, proven = true): Promise<Response> {
  const jwk = await exportJWK(dpop.publicKey);
  const proof = await new SignJWT({
    htm: 'POST',
    htu: `${server.provider.issuer.replace('https', 'http')}/token`,
    jti: randomUUID(),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .setIssuedAt()
    .sign(dpop.privateKey);
  return post(
    server,
    '/token',
    { grant_type: CIBA_GRANT, auth_req_id: authReqId },
    proven ? { dpop: proof } : {},
  );
}

const claimsIn = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt.split('.')[1]), 'base64url').toString());
const headerOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt.split('.')[0]), 'base64url').toString());

onEveryStore('a client of the FAPI-CIBA profile', (make) => {
  it('asks, and gets tokens bound to its key, with the acr that was reached [FAPI-4] [FAPI-6] [FAPI-8] [FAPI-13] [FAPI-14] [FAPI-20]', async () => {
    const server = make(options());
    const { status, body } = await ask(server, { acr_values: 'urn:example:strong' });
    expect(status).toBe(200);
    await server.approve(body.auth_req_id, { acr: 'urn:example:strong' });
    expect((await redeem(server, body.auth_req_id, false)).status).toBe(400);
    const tokens = await redeem(server, body.auth_req_id);
    expect({ status: tokens.status, type: tokens.body.token_type }).toEqual({ status: 200, type: 'DPoP' });
    expect(headerOf(tokens.body.id_token)['alg']).toBe('PS256');
    expect(claimsIn(tokens.body.id_token)['acr']).toBe('urn:example:strong');
    expect((await redeem(server, body.auth_req_id)).body.error).toBe('invalid_grant');
  });

  it('is not approved by a sign-in that is weaker than what it asked for [FAPI-7]', async () => {
    const server = make(options());
    const { body } = await ask(server, { acr_values: 'urn:example:strong' });
    await expect(server.approve(body.auth_req_id, { acr: 'urn:example:weak' })).rejects.toMatchObject({
      code: 'acr_not_met',
    });
    await expect(server.approve(body.auth_req_id)).rejects.toMatchObject({ code: 'acr_not_met' });
    expect((await redeem(server, body.auth_req_id)).body.error).toBe('authorization_pending');
  });

  it('does not ask without a signature [FAPI-6]', async () => {
    const server = make(options());
    const form = { scope: 'openid', login_hint: 'alice', binding_message: 'Pay' };
    await expectRefused(server, () => post(server, '/backchannel', form), { error: 'invalid_request' });
  });

  it.each<[string, Record<string, unknown>]>([
    ['lives longer than an hour [FAPI-9]', { exp: now() + 4_200 }],
    ['began longer than an hour ago [FAPI-9]', { nbf: now() - 4_200 }],
    ['has no nbf [FAPI-9]', { nbf: undefined }],
    ['has no exp [FAPI-9]', { exp: undefined }],
    ['has neither message nor details [FAPI-2]', { binding_message: undefined }],
    ['has text as request_context [FAPI-10]', { request_context: 'text' }],
    ['has a list as request_context [FAPI-10]', { request_context: ['one'] }],
  ])('is refused where its request %s', async (_what, claims) => {
    const server = make(options());
    await expectRefused(server, () => ask(server, claims), { error: 'invalid_request' });
  });

  it('may ask with authorization details instead of a message, and with a context [FAPI-2] [FAPI-10] [FAPI-26] [SEC-13]', async () => {
    const server = make(options({ authorization_details_types: ['payment'] }));
    const details = [{ type: 'payment', amount: '12.50' }];
    const asked = await ask(server, {
      binding_message: undefined,
      authorization_details: details,
      request_context: { location: 'shop' },
    });
    expect(asked.status).toBe(200);
    const [view] = await server.ciba.requests.list('alice');
    expect(view).toMatchObject({ authorizationDetails: details, requestContext: { location: 'shop' } });
  });

  it('is refused with another algorithm than PS256 and ES256, in requests and assertions [FAPI-14]', async () => {
    const server = make(options());
    const rs256 = { alg: 'RS256', kid: 'rsa' };
    const key = await crypto.subtle.importKey(
      'jwk',
      { ...(await crypto.subtle.exportKey('jwk', rsa.privateKey)), alg: 'RS256' },
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      false,
      ['sign'],
    );
    const signed = await sign(claimsOf(), rs256, key);
    await expectRefused(server, () => post(server, '/backchannel', { request: signed }), {
      error: 'invalid_request',
    });
    const form = { request: await sign(claimsOf()), client_assertion: await assertion(rs256, key) };
    await expectRefused(server, () => post(server, '/backchannel', form), {
      status: 401,
      error: 'invalid_client',
    });
  });

  it('whose signed request is of another client is told as no client at all [FAPI-18]', async () => {
    const server = make(options());
    const form = { client_id: 'other', request: await sign(claimsOf()) };
    await expectRefused(server, () => post(server, '/backchannel', form), {
      status: 401,
      error: 'invalid_client',
    });
  });

  it('that was stored before the profile and does not keep to it is refused [FAPI-12]', async () => {
    // The adapter's clients are not looked at before they ask.
    const { client_id: id, ...old } = { ...bank, dpop_bound_access_tokens: false };
    const server = make({ ...options(), config: { ...options().config, clients: [] } });
    await server.store.adapter('Client').upsert(id, { client_id: id, ...old } as never, 3600);
    await expectRefused(server, () => ask(server), { error: 'unauthorized_client' });
  });

  it('is one by its own metadata where the server is under no profile [FAPI-6]', async () => {
    const server = make(options({ ciba_profile: 'fapi-ciba' }, {}));
    await expectRefused(server, () => ask(server, { binding_message: undefined }), {
      error: 'invalid_request',
    });
    expect((await ask(server)).status).toBe(200);
  });
});

describe('registering under the profile', () => {
  const register = (server: PluginServer, metadata: object) =>
    request(server.app).post('/reg').set('host', 'op.example').send(metadata);
  const { client_id: _, client_secret: __, ...good } = bank;

  it('takes a client that keeps to it, and discovery knows no push [FAPI-3] [FAPI-4] [FAPI-22]', async () => {
    const server = pluginServer(options());
    expect((await register(server, good)).status).toBe(201);
    const { body } = await request(server.app).get('/.well-known/openid-configuration');
    expect(body.backchannel_token_delivery_modes_supported).toEqual(['poll']);
  });

  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  it.each<[string, object]>([
    ['pushed to [FAPI-3]', { backchannel_token_delivery_mode: 'push' }],
    ['without authentication [FAPI-1]', { token_endpoint_auth_method: 'none' }],
    [
      'with a secret [FAPI-12]',
      { token_endpoint_auth_method: 'client_secret_basic', token_endpoint_auth_signing_alg: undefined },
    ],
    ['with assertions in RS256 [FAPI-14]', { token_endpoint_auth_signing_alg: 'RS256' }],
    ['with requests in RS256 [FAPI-14]', { backchannel_authentication_request_signing_alg: 'RS256' }],
    ['without signed requests [FAPI-6]', { backchannel_authentication_request_signing_alg: undefined }],
    ['with ID Tokens in RS256 [FAPI-14]', { id_token_signed_response_alg: 'RS256' }],
    ['whose tokens are bound to no key [FAPI-13]', { dpop_bound_access_tokens: false }],
    ['with RSA1_5 [FAPI-15]', { id_token_encrypted_response_alg: 'RSA1_5' }],
    ['with a short key [FAPI-16]', { jwks_uri: undefined, jwks: { keys: [{ ...short, kid: 'short' }] } }],
  ])('refuses one that is %s', async (_what, metadata) => {
    const { status, body } = await register(pluginServer(options()), { ...good, ...metadata });
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_client_metadata' });
  });

  it('of a single client holds that client alone to it', async () => {
    const server = pluginServer(options({}, {}));
    const weak = { ...good, dpop_bound_access_tokens: false };
    expect((await register(server, weak)).status).toBe(201);
    expect((await register(server, { ...weak, ciba_profile: 'fapi-ciba' })).status).toBe(400);
    expect((await register(server, { ...good, ciba_profile: 'fapi-ciba' })).status).toBe(201);
    expect((await register(server, { ...good, ciba_profile: 'fapi' })).status).toBe(400);
  });
});

describe('starting under the profile', () => {
  const start = (more: Partial<PluginServerOptions>) => () => pluginServer({ ...options(), ...more });

  it.each<[string, Partial<PluginServerOptions>, string]>([
    ['an http issuer', { issuer: 'http://op.example' }, 'issuer must be an https URL'],
    [
      'push [FAPI-3]',
      { hooks: { deliveryModes: ['poll', 'push'] } },
      'features.ciba.deliveryModes must be without push',
    ],
    [
      'no signed requests [FAPI-6]',
      { features: { dPoP: { enabled: true } } },
      'features.requestObjects.enabled must be true',
    ],
    [
      'no keys to bind to [FAPI-13]',
      { features: { requestObjects: { enabled: true } } },
      'must have mTLS or dPoP',
    ],
  ])('is refused with %s', (_what, more, sentence) => {
    expect(start(more)).toThrow(sentence);
  });

  it('takes no login_hint where the server has no way to resolve one [FAPI-24]', async () => {
    const server = pluginServer({
      ...options(),
      ciba: { profile: 'fapi-ciba', resolveLoginHint: undefined },
      hooks: { processLoginHint: undefined },
    });
    expect((await ask(server)).body.error).toBe('invalid_request');
  });
});
