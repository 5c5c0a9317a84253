import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { ClientMetadata } from 'oidc-provider';
import request, { type Response } from 'supertest';
import { processClock } from '../support/clock.js';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  basic,
  CIBA_GRANT,
  ISSUER,
  type PluginServer,
  type PluginServerOptions,
  poll,
  TOKEN,
} from '../support/server.js';

const [own, others, rsa, rotated] = await Promise.all([
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('ES256', { extractable: true }),
  generateKeyPair('RS256', { extractable: true }),
  generateKeyPair('ES256', { extractable: true }),
]);
const jwkOf = async (key: CryptoKey, kid: string) => ({ ...(await exportJWK(key)), kid });
const published = [await jwkOf(own.publicKey, 'own'), await jwkOf(rsa.publicKey, 'rsa')];

/** What the clients publish, and how often that was asked for. */
function publisher(keys: object[] = [...published]) {
  const state = { keys, fetched: 0 };
  const fetch = async () => {
    state.fetched += 1;
    return globalThis.Response.json({ keys: state.keys });
  };
  return { state, fetch };
}

const signer: ClientMetadata = pollClient('signer', {
  client_secret: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks_uri: 'https://signer.example/jwks',
});
const poster = pollClient('poster', { token_endpoint_auth_method: 'client_secret_post' });
const maker = pollClient('maker', {
  client_secret: 'maker-secret-of-more-than-thirty-two-bytes',
  token_endpoint_auth_method: 'client_secret_jwt',
});

const options = (fetch = publisher().fetch): PluginServerOptions => ({
  config: { clients: [pollClient('till'), poster, maker, signer], fetch },
});

const now = (): number => Math.floor(Date.now() / 1000);

function assertion(more: Record<string, unknown> = {}, header: object = {}, key: CryptoKey = own.privateKey) {
  const claims = {
    iss: 'signer',
    sub: 'signer',
    aud: ISSUER,
    jti: randomUUID(),
    iat: now(),
    exp: now() + 60,
    ...more,
  };
  const given = Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== undefined),
  ) as JWTPayload;
  return new SignJWT(given).setProtectedHeader({ alg: 'ES256', kid: 'own', ...header }).sign(key);
}

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const REQUEST = { scope: 'openid', login_hint: 'alice' };

const send = async (
  server: PluginServer,
  path: string,
  form: Record<string, string>,
  headers = {},
): Promise<Response> =>
  request(server.app).post(path).set('host', 'op.example').set(headers).type('form').send(form);

const assert = async (
  server: PluginServer,
  jwt: string,
  path = BACKCHANNEL,
  form: Record<string, string> = REQUEST,
) => send(server, path, { client_assertion_type: JWT_BEARER, client_assertion: jwt, ...form });

const expectNoClient = (server: PluginServer, sending: () => Promise<Response>) =>
  expectRefused(server, sending, { status: 401, error: 'invalid_client' });

onEveryStore('a client authenticates as it is registered', (make) => {
  it('with its secret by no other way, on either endpoint [CA-3] [TERR-8]', async () => {
    const server = make({ ...options(), ciba: { limits: false } });
    const inForm = { client_id: 'till', client_secret: 'till-secret' };
    const header = { authorization: basic('poster') };
    await expectNoClient(server, () => send(server, BACKCHANNEL, { ...REQUEST, ...inForm }));
    await expectNoClient(server, () => send(server, BACKCHANNEL, REQUEST, header));
    const id = await asked(server);
    await server.approve(id);
    const redemption = { grant_type: CIBA_GRANT, auth_req_id: id };
    await expectNoClient(server, () => send(server, TOKEN, { ...redemption, ...inForm }));
    expect((await poll(server, id)).status).toBe(200);
    const posted = { client_id: 'poster', client_secret: 'poster-secret' };
    const { body } = await send(server, BACKCHANNEL, { ...REQUEST, ...posted });
    const theirs = { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id };
    await expectNoClient(server, () => send(server, TOKEN, theirs, header));
    expect((await send(server, TOKEN, { ...theirs, ...posted })).body.error).toBe('authorization_pending');
  });

  it('by one mechanism at a time [CA-4]', async () => {
    const server = make(options());
    const both = { ...REQUEST, client_assertion_type: JWT_BEARER, client_assertion: await assertion() };
    await expectRefused(server, () => send(server, BACKCHANNEL, both, { authorization: basic('till') }), {
      error: 'invalid_request',
    });
  });

  it.each([
    ['the issuer', ISSUER],
    ['the token endpoint', `${ISSUER}/token`],
    ['the backchannel endpoint', `${ISSUER}/backchannel`],
  ])('with an assertion for %s, on both endpoints [CA-5] [CA-6] [DISC-6]', async (_what, aud) => {
    const server = make(options());
    const { status, body } = await assert(server, await assertion({ aud }));
    expect(status).toBe(200);
    const form = { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id };
    const polled = await assert(
      server,
      await assertion({ aud: aud.replace('/backchannel', '/token') }),
      TOKEN,
      form,
    );
    expect(polled.body.error).toBe('authorization_pending');
  });

  it.each<[string, Record<string, unknown>]>([
    ['for another server [CA-5]', { aud: 'https://elsewhere.example' }],
    ['of another issuer [CA-7]', { iss: 'other' }],
    ['without iss [CA-7]', { iss: undefined }],
    ['without aud [CA-7]', { aud: undefined }],
    ['without exp [CA-7]', { exp: undefined }],
    ['without jti [CA-7]', { jti: undefined }],
    ['that is over [CA-7]', { exp: now() - 300 }],
  ])('with no assertion %s', async (_what, claims) => {
    const server = make(options());
    const jwt = await assertion(claims);
    await expectNoClient(server, () => assert(server, jwt));
  });

  it('with an assertion that is used once [CA-7]', async () => {
    const server = make(options());
    const jwt = await assertion();
    expect((await assert(server, jwt)).status).toBe(200);
    await expectNoClient(server, () => assert(server, jwt));
  });

  it('with the registered algorithm and a key of its own [CA-8]', async () => {
    const server = make(options());
    const parts = [{ alg: 'none' }, { iss: 'signer', sub: 'signer', aud: ISSUER, jti: 'x', exp: now() + 60 }];
    const none = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const secret = new TextEncoder().encode('a secret that would have to be a key of them');
    const jwts = [
      `${none}.`,
      await new SignJWT({ iss: 'signer', sub: 'signer', aud: ISSUER, jti: randomUUID(), exp: now() + 60 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(secret),
      await assertion({}, { alg: 'RS256', kid: 'rsa' }, rsa.privateKey),
      await assertion({}, {}, others.privateKey),
      await assertion({}, { jwk: await exportJWK(others.publicKey) }, others.privateKey),
    ];
    for (const jwt of jwts) await expectNoClient(server, () => assert(server, jwt));
  });

  it('with an HMAC where it is registered for one, and a public key is none [CA-8]', async () => {
    const server = make(options());
    const secret = new TextEncoder().encode('maker-secret-of-more-than-thirty-two-bytes');
    const claims = { iss: 'maker', sub: 'maker' };
    const good = await new SignJWT({ ...claims, aud: ISSUER, jti: randomUUID(), iat: now(), exp: now() + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secret);
    expect((await assert(server, good)).status).toBe(200);
    const signed = await assertion(claims);
    await expectNoClient(server, () => assert(server, signed));
  });

  it('and is named as no other one [CA-9]', async () => {
    const server = make(options());
    const header = { authorization: basic('till') };
    const named = await expectNoClient(server, () =>
      send(server, BACKCHANNEL, { ...REQUEST, client_id: 'poster' }, header),
    );
    expect(named.headers['www-authenticate']).toMatch(/^Basic /);
    const id = await asked(server);
    const form = { grant_type: CIBA_GRANT, auth_req_id: id, client_id: 'poster' };
    await expectNoClient(server, () => send(server, TOKEN, form, header));
    const jwt = await assertion();
    await expectNoClient(server, () => assert(server, jwt, BACKCHANNEL, { ...REQUEST, client_id: 'till' }));
  });

  it('or is told the same as one that does not exist [CA-10] [REQ-22] [SEC-4]', async () => {
    const server = make(options());
    const wrong = await send(server, BACKCHANNEL, REQUEST, { authorization: basic('till', 'wrong') });
    const unknown = await send(server, BACKCHANNEL, REQUEST, { authorization: basic('nobody') });
    const nobody = await send(
      server,
      BACKCHANNEL,
      { ...REQUEST, login_hint: 'nobody' },
      { authorization: basic('till', 'wrong') },
    );
    for (const answer of [wrong, unknown, nobody]) {
      expect({ status: answer.status, body: answer.body }).toEqual({
        status: wrong.status,
        body: wrong.body,
      });
      expectErrorEnvelope(answer);
    }
  });

  it('with keys that it may change, and cannot make the server ask for them again and again [CA-12]', async () => {
    const clock = processClock();
    const { state, fetch } = publisher();
    const server = make({ ...options(fetch), ciba: { limits: false } });
    expect((await assert(server, await assertion())).status).toBe(200);
    // What was fetched is fresh for a minute.
    clock.advance(61);
    state.keys = [await jwkOf(rotated.publicKey, 'rotated')];
    expect((await assert(server, await assertion({}, { kid: 'rotated' }, rotated.privateKey))).status).toBe(
      200,
    );
    const before = state.fetched;
    for (let time = 0; time < 100; time += 1) {
      const unknown = await assertion({}, { kid: `unknown-${time}` }, others.privateKey);
      expect((await assert(server, unknown)).status).toBe(401);
    }
    expect(state.fetched - before).toBeLessThanOrEqual(3);
    clock.restore();
  });

  it('by public keys alone where the server says so [CA-11]', async () => {
    const base = options();
    const server = make({
      config: { ...base.config, clients: [signer], clientAuthMethods: ['private_key_jwt'] },
    });
    expect((await assert(server, await assertion())).status).toBe(200);
    const { body } = await request(server.app).get('/.well-known/openid-configuration');
    expect(body.token_endpoint_auth_methods_supported).toEqual(['private_key_jwt']);
    expect((await ask(server)).status).toBe(401);
  });
});
