import { randomUUID } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { startRedis } from '../support/redis-server.js';
import { expectRefused } from '../support/refusal.js';
import {
  BACKCHANNEL,
  basic,
  ISSUER,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
} from '../support/server.js';

type Header = { alg?: string; typ?: string; [member: string]: unknown };

const [own, others, rsa] = await Promise.all([
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('PS256', { extractable: true }),
]);
const publicKey = async (key: CryptoKey, kid: string) => ({ ...(await exportJWK(key)), kid });
/** What each client publishes: oidc-provider under jest takes keys by their address only. */
const published: Readonly<Record<string, object[]>> = {
  'signer.example': [await publicKey(own.publicKey, 'own'), await publicKey(rsa.publicKey, 'rsa')],
  'other.example': [await publicKey(others.publicKey, 'own')],
};
const fetch = async (url: string | URL | Request) =>
  globalThis.Response.json({ keys: published[new URL(String(url)).hostname] ?? [] });

const signs = {
  backchannel_authentication_request_signing_alg: 'ES256',
  jwks_uri: 'https://signer.example/jwks',
};
const clients = [
  pollClient('signer', signs),
  pollClient('other', { ...signs, jwks_uri: 'https://other.example/jwks' }),
  pollClient('plain', { jwks_uri: 'https://signer.example/jwks' }),
];
const options: PluginServerOptions = {
  config: { clients, fetch },
  features: { requestObjects: { enabled: true }, claimsParameter: { enabled: true } },
};

const now = (): number => Math.floor(Date.now() / 1000);

/** The claims of a good request; `undefined` takes one out. */
const claimsOf = (more: Record<string, unknown> = {}): JWTPayload => ({
  iss: 'signer',
  aud: ISSUER,
  iat: now(),
  nbf: now(),
  exp: now() + 300,
  jti: randomUUID(),
  scope: 'openid',
  login_hint: 'alice',
  ...more,
});

async function signed(
  more: Record<string, unknown> = {},
  header: Header = {},
  key = own.privateKey,
): Promise<string> {
  const claims = Object.fromEntries(
    Object.entries(claimsOf(more)).filter(([, value]) => value !== undefined),
  );
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'own', ...header }).sign(key);
}

const send = (server: PluginServer, form: Record<string, string>, client = 'signer'): Promise<Response> =>
  request(server.app).post(BACKCHANNEL).set('authorization', basic(client)).type('form').send(form).then();

const refused = (server: PluginServer, form: Record<string, string>, client = 'signer') =>
  expectRefused(server, () => send(server, form, client), { error: 'invalid_request' });

onEveryStore('a signed authentication request', (make) => {
  it('holds everything that is asked for, and nothing stands beside it [JAR-1]', async () => {
    const server = make(options);
    const { status, body } = await send(server, {
      request: await signed({ binding_message: 'Pay 12.50 EUR' }),
    });
    expect(status).toBe(200);
    const [view] = await server.ciba.requests.list('alice');
    expect(view).toMatchObject({ clientId: 'signer', bindingMessage: 'Pay 12.50 EUR', scope: 'openid' });
    expect(view?.handle).toBe(server.ciba.requests.handleOf(body.auth_req_id));
  });

  it.each([
    'login_hint',
    'scope',
    'client_notification_token',
    'request_context',
    'resource',
    'authorization_details',
    'binding_message',
    'acr_values',
  ])('is refused with %s beside it, even with the same value [JAR-2] [JAR-23]', async (name) => {
    const value = name === 'login_hint' ? 'alice' : 'openid';
    await refused(make(options), { request: await signed(), [name]: value });
  });

  it('without a scope is not completed by the form [JAR-23]', async () => {
    await refused(make(options), { request: await signed({ scope: undefined }), scope: 'openid' });
    await refused(make(options), { request: await signed({ scope: undefined }) });
  });

  it('stands beside what the client authenticates with [JAR-3]', async () => {
    const server = make({
      ...options,
      config: {
        clients: [pollClient('signer', { ...signs, token_endpoint_auth_method: 'client_secret_post' })],
        fetch,
      },
    });
    const form = { client_id: 'signer', client_secret: 'signer-secret', request: await signed() };
    expect((await request(server.app).post(BACKCHANNEL).type('form').send(form)).status).toBe(200);
  });

  it.each<[string, Record<string, unknown>]>([
    ['without aud [JAR-5]', { aud: undefined }],
    ['for another server [JAR-5]', { aud: 'https://elsewhere.example' }],
    ['without iss [JAR-6]', { iss: undefined }],
    ['of another client [JAR-6]', { iss: 'other' }],
    ['without exp [JAR-7]', { exp: undefined }],
    ['that is over [JAR-7]', { exp: now() - 300 }],
    ['without iat [JAR-8]', { iat: undefined }],
    ['of the future [JAR-8]', { iat: now() + 600 }],
    ['without nbf [JAR-9]', { nbf: undefined }],
    ['that is not good yet [JAR-9]', { nbf: now() + 600 }],
    ['without jti [JAR-10]', { jti: undefined }],
    ['with an empty jti [JAR-10]', { jti: '' }],
    ['with an exp that is text [JAR-12]', { exp: String(now() + 300) }],
    ['with an nbf that is text [JAR-12]', { nbf: String(now()) }],
    ['with an iat that is text [JAR-12]', { iat: String(now()) }],
    ['with a list as scope [JAR-13]', { scope: ['openid'] }],
    ['that holds a request [JAR-20]', { request: 'another' }],
    ['that holds a request_uri [JAR-20]', { request_uri: 'https://signer.example/request' }],
    ['that reads as a client assertion [JAR-21]', { sub: 'signer' }],
    ['with another client_id [JAR-22]', { client_id: 'other' }],
  ])('%s is refused', async (_what, claims) => {
    await refused(make(options), { request: await signed(claims) });
  });

  it('for several servers is taken where this is one of them [JAR-5]', async () => {
    const aud = ['https://elsewhere.example', ISSUER];
    expect((await send(make(options), { request: await signed({ aud }) })).status).toBe(200);
  });

  it.each(['30', 30])('may have %j as requested_expiry, text or number [JAR-13]', async (expiry) => {
    const { body } = await send(make(options), { request: await signed({ requested_expiry: expiry }) });
    expect(body.expires_in).toBe(30);
  });

  it('may have an object as request_context, which the server’s hook and the person’s app get as it is [JAR-13] [REQ-19]', async () => {
    const context = { shop: 'ACME', geolocation: [48, 9] };
    const seen: unknown[] = [];
    const hooks = { validateRequestContext: (_ctx: unknown, given: unknown) => void seen.push(given) };
    const server = make({ ...options, hooks });
    expect((await send(server, { request: await signed({ request_context: context }) })).status).toBe(200);
    expect(seen).toEqual([JSON.stringify(context)]);
    const [view] = await server.ciba.requests.list('alice');
    expect(view?.requestContext).toEqual(context);
  });

  it.each([
    ['absent', undefined],
    ['JWT', 'JWT'],
    ['oauth-authz-req+jwt', 'oauth-authz-req+jwt'],
    ['of any letter case', 'OautH-auThZ-REQ+jWt'],
    ['a whole media type', 'application/oauth-authz-req+jwt'],
  ])('may have a typ that is %s [JAR-19]', async (_what, typ) => {
    const header = typ === undefined ? {} : { typ };
    expect((await send(make(options), { request: await signed({}, header) })).status).toBe(200);
  });

  it.each(['dpop+jwt', 'at+jwt', 'logout+jwt', 'secevent+jwt'])(
    'with the typ %s is refused [JAR-19] [SEC-10]',
    async (typ) => {
      await refused(make(options), { request: await signed({}, { typ }) });
    },
  );

  it('is used once, by one of many at the same time [JAR-11]', async () => {
    const server = make({ ...options, ciba: { limits: false } });
    const form = { request: await signed() };
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(server, form)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(400)]);
    await refused(server, form);
    const again = { request: await signed({ jti: 'mine' }) };
    expect((await send(server, again)).status).toBe(200);
    const theirs = await signed({ jti: 'mine', iss: 'other' }, {}, others.privateKey);
    expect((await send(server, { request: theirs }, 'other')).status).toBe(200);
  });

  it('that is refused by another rule leaves the jti of nobody else used [JAR-11]', async () => {
    const server = make(options);
    await refused(server, { request: await signed({ jti: 'early' }, {}, others.privateKey) });
    expect((await send(server, { request: await signed({ jti: 'early' }) })).status).toBe(200);
  });

  it('is signed with the client’s registered algorithm and key, whatever its header says [JAR-4] [JAR-15] [JAR-16]', async () => {
    const server = make(options);
    const jwk = await exportJWK(others.publicKey);
    const hmac = new TextEncoder().encode('signer-secret'.padEnd(32, '.'));
    const none = [{ alg: 'none' }, claimsOf()].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const requests = [
      await signed({}, {}, others.privateKey),
      await signed({}, { jwk }, others.privateKey),
      await signed({}, { alg: 'PS256', kid: 'rsa' }, rsa.privateKey),
      await new SignJWT(claimsOf()).setProtectedHeader({ alg: 'HS256' }).sign(hmac),
      `${none.join('.')}.`,
      (await signed()).replace(/.{8}$/, 'AAAAAAAA'),
    ];
    for (const bad of requests) await refused(server, { request: bad });
  });

  it('is not encrypted, and nothing but a JWT [JAR-14] [JAR-25]', async () => {
    const server = make(options);
    const good = await signed();
    const [head = '', payload = ''] = good.split('.');
    for (const bad of [
      'a.b.c.d.e',
      `${head}.${payload}`,
      `${head}=.${payload}.x`,
      'no JWT',
      `${head}.${'A'.repeat(40_000)}.x`,
    ]) {
      await refused(server, { request: bad });
    }
    await refused(server, { request: 'A'.repeat(200_000) });
  });

  it('is refused where its header has a critical member that nobody knows, or a claim stands twice [JAR-24]', async () => {
    const server = make(options);
    const header = { alg: 'ES256', kid: 'own' };
    const text = JSON.stringify(claimsOf()).replace(
      '"scope":"openid"',
      '"scope":"openid","scope":"openid profile"',
    );
    const twice = await signedText(text, header);
    const critical = await signedText(JSON.stringify(claimsOf()), { ...header, crit: ['x'], x: 1 });
    for (const bad of [twice, critical]) await refused(server, { request: bad });
  });

  it('is needed from a client that has registered for it, and taken from no other [JAR-17] [JAR-18] [REG-11]', async () => {
    const server = make(options);
    await refused(server, { scope: 'openid', login_hint: 'alice' });
    await refused(server, { request: await signed({ iss: 'plain' }) }, 'plain');
    expect((await send(server, { scope: 'openid', login_hint: 'alice' }, 'plain')).status).toBe(200);
  });

  it('is no client assertion, and no client assertion is one [JAR-21] [SEC-10]', async () => {
    const jwtClient = pollClient('signer', {
      ...signs,
      client_secret: undefined,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
    });
    const server = make({ ...options, config: { clients: [jwtClient], fetch } });
    const assertionOf = (sub?: string) => signed({ sub, scope: undefined, login_hint: undefined });
    const form = (assertion: string, request: string) => ({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      request,
    });
    const post = (body: Record<string, string>) =>
      request(server.app).post(BACKCHANNEL).type('form').send(body);
    expect((await post(form(await assertionOf('signer'), await signed()))).status).toBe(200);
    const swapped = await post(form(await signed(), await signed()));
    expect({ status: swapped.status, error: swapped.body.error }).toEqual({
      status: 401,
      error: 'invalid_client',
    });
    const reused = await post(form(await assertionOf('signer'), await assertionOf('signer')));
    expect({ status: reused.status, error: reused.body.error }).toEqual({
      status: 400,
      error: 'invalid_request',
    });
  });

  it('is held to the server’s own checks as well, which see it first', async () => {
    const seen: unknown[] = [];
    const assertJwtClaimsAndHeader = (_ctx: unknown, claims: Record<string, unknown>): void => {
      seen.push(claims['jti']);
    };
    const server = make({
      ...options,
      features: { requestObjects: { enabled: true, assertJwtClaimsAndHeader } },
    });
    expect((await send(server, { request: await signed({ jti: 'seen' }) })).status).toBe(200);
    await refused(server, { request: await signed({ jti: '' }) });
    expect(seen).toEqual(['seen', '']);
  });
});

describe('while Redis is away', () => {
  it('a signed request is answered 503, and is not used up by that [HTTP-12]', async () => {
    const redis = await startRedis();
    const server = pluginServer({ ...options, redis: redis.client() });
    await send(server, { request: await signed() });
    redis.pause();
    const form = { request: await signed() };
    expect((await send(server, form)).status).toBe(503);
    redis.resume();
    await server.close();
    await redis.stop();
  });
});

/** A JWT whose payload is this very text. */
async function signedText(payload: string, header: object): Promise<string> {
  const parts = [JSON.stringify(header), payload]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  if (!('crit' in header))
    return new CompactSign(Buffer.from(payload)).setProtectedHeader(header as never).sign(own.privateKey);
  const signature = await crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    own.privateKey,
    Buffer.from(parts),
  );
  return `${parts}.${Buffer.from(signature).toString('base64url')}`;
}
