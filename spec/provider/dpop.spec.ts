import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import request, { type Response } from 'supertest';
import { processClock } from '../support/clock.js';
import { pollClient } from '../support/configuration.js';
import { makeDpopKey, type ProofMembers } from '../support/dpop.js';
import { onEveryStore } from '../support/every-store.js';
import { mends } from '../support/native-row.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  basic,
  ISSUER,
  introspect,
  type Params,
  type PluginServer,
  type PluginServerOptions,
  poll,
  post,
  TOKEN,
} from '../support/server.js';

const [own, another] = await Promise.all([makeDpopKey(), makeDpopKey()]);
const signing = await generateKeyPair('ES256');
const jwks = { keys: [{ ...(await exportJWK(signing.publicKey)), kid: 'signing' }] };

const options: PluginServerOptions = {
  config: {
    clients: [
      pollClient('till'),
      pollClient('bound', { dpop_bound_access_tokens: true }),
      pollClient('pinged', {
        backchannel_token_delivery_mode: 'ping',
        backchannel_client_notification_endpoint: 'https://pinged.example/cb',
      }),
      pollClient('signer', {
        backchannel_authentication_request_signing_alg: 'ES256',
        jwks_uri: 'https://signer.example/jwks',
      }),
    ],
    fetch: async () => globalThis.Response.json(jwks),
  },
  features: { dPoP: { enabled: true }, requestObjects: { enabled: true } },
  hooks: { deliveryModes: ['poll', 'ping'] },
};

const seconds = (): number => Math.floor(Date.now() / 1000);
const outcome = ({ status, body }: Response): unknown => body.error ?? status;

/** Asks and approves: the `auth_req_id`. */
async function approved(server: PluginServer, params: Params = {}, client = 'till'): Promise<string> {
  const authReqId = await asked(server, params, { client });
  await server.approve(authReqId);
  return authReqId;
}

/** The token request is refused so, and the approval is there for the next one. */
async function expectSpared(
  server: PluginServer,
  authReqId: string,
  headers: Record<string, string>,
  error: string,
  client = 'till',
): Promise<Response> {
  const answer = await poll(server, authReqId, {}, { client, headers });
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error });
  expectErrorEnvelope(answer);
  expect(server.store.count('AccessToken')).toBe(0);
  return answer;
}

onEveryStore('a DPoP proof at the token endpoint', (make) => {
  it('binds the access token to its key [DPOP-1]', async () => {
    const server = make(options);
    const authReqId = await approved(server);
    const { status, body } = await poll(server, authReqId, {}, { headers: await own.atToken() });
    expect({ status, type: body.token_type }).toEqual({ status: 200, type: 'DPoP' });
    expect(await introspect(server, body.access_token)).toMatchObject({
      token_type: 'DPoP',
      cnf: { jkt: own.thumbprint },
    });
  });

  const bad: readonly (readonly [string, ProofMembers | (() => Promise<string>)])[] = [
    ['of another type', { header: { typ: 'JWT' } }],
    ['of another method', { claims: { htm: 'GET' } }],
    ['of no method', { claims: { htm: undefined } }],
    ['of the backchannel endpoint [DPOP-3]', { claims: { htu: `${ISSUER}${BACKCHANNEL}` } }],
    ['of another host [DPOP-3]', { claims: { htu: `http://mtls.op.example${TOKEN}` } }],
    ['of no address', { claims: { htu: undefined } }],
    ['that is ten minutes old [DPOP-10]', { claims: { iat: seconds() - 600 } }],
    ['from the future [DPOP-10]', { claims: { iat: seconds() + 3_600 } }],
    ['without a time', { claims: { iat: undefined } }],
    ['without a name', { claims: { jti: undefined } }],
    ['with a nonce that nobody gave', { claims: { nonce: 'guessed' } }],
    [
      'with a symmetric algorithm',
      { header: { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } }, key: Buffer.alloc(32, 'secret') },
    ],
    [
      'with an algorithm that is not published [DISC-10]',
      async () => {
        const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
        const jwk = await exportJWK(rsa.publicKey);
        const members = { header: { alg: 'RS256', jwk }, key: rsa.privateKey };
        return (await own.atToken(members)).dpop;
      },
    ],
    [
      'with a private key in it',
      async () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return (await own.atToken({ header: { jwk: await exportJWK(privateKey) }, key: privateKey })).dpop;
      },
    ],
    ['without a key in it', { header: { jwk: undefined } }],
    ['signed with another key', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['that is two', async () => `${(await own.atToken()).dpop}, ${(await own.atToken()).dpop}`],
    ['that is none', async () => 'none'],
    [
      'without a signature',
      async () => {
        const [header, claims] = (await own.atToken()).dpop.split('.');
        const none = Buffer.from(
          JSON.stringify({ ...JSON.parse(Buffer.from(String(header), 'base64url').toString()), alg: 'none' }),
        );
        return `${none.toString('base64url')}.${claims}.`;
      },
    ],
  ];

  it.each(bad)('is refused %s, and the approval stays [DPOP-2] [ERR-14]', async (_what, made) => {
    const server = make(options);
    const authReqId = await approved(server);
    const dpop = typeof made === 'function' ? await made() : (await own.atToken(made)).dpop;
    await expectSpared(server, authReqId, { dpop }, 'invalid_dpop_proof');
    expect(outcome(await poll(server, authReqId, {}, { headers: await own.atToken() }))).toBe(200);
  });

  it.each([
    ['with a query and a fragment', `${ISSUER}${TOKEN}?a=b#c`],
    ['with the port that goes without saying, and a host in capitals', `http://OP.example:80${TOKEN}`],
  ])('is accepted with an address %s [DPOP-3]', async (_what, htu) => {
    const server = make(options);
    const authReqId = await approved(server);
    expect(
      outcome(await poll(server, authReqId, {}, { headers: await own.atToken({ claims: { htu } }) })),
    ).toBe(200);
  });

  it('is accepted once, for a pending request as well [DPOP-2] [DPOP-10]', async () => {
    const server = make(options);
    const authReqId = await asked(server);
    const headers = await own.atToken();
    expect(outcome(await poll(server, authReqId, {}, { headers }))).toBe('authorization_pending');
    await server.approve(authReqId);
    await expectSpared(server, authReqId, headers, 'invalid_dpop_proof');
    const again = await own.atToken();
    expect(outcome(await poll(server, authReqId, {}, { headers: again }))).toBe(200);
    const next = await approved(server);
    const refused = await poll(server, next, {}, { headers: again });
    expect(outcome(refused)).toBe('invalid_dpop_proof');
  });

  it('is accepted once of several at the same time [DPOP-2]', async () => {
    const server = make(options);
    const ids = await Promise.all(Array.from({ length: 4 }, () => approved(server)));
    const headers = await own.atToken();
    const answers = await Promise.all(ids.map((id) => poll(server, id, {}, { headers })));
    expect(answers.map(outcome).sort()).toEqual([200, ...Array(3).fill('invalid_dpop_proof')]);
  });

  it('is not accepted where a refresh has used it, and the approval stays [DPOP-2]', async () => {
    const server = make(options);
    const first = await approved(server, { scope: 'openid offline_access' });
    const { refresh_token } = (await poll(server, first)).body;
    const headers = await own.atToken();
    const refresh = { grant_type: 'refresh_token', refresh_token };
    expect(outcome(await post(server, TOKEN, refresh, { headers }))).toBe(200);
    const next = await approved(server);
    // oidc-provider finds out, and this is what it calls it.
    expect(outcome(await poll(server, next, {}, { headers }))).toBe('invalid_grant');
    expect(outcome(await poll(server, next, {}, { headers: await own.atToken() }))).toBe(200);
  });

  it('may be used again where the server allows it', async () => {
    const server = make({ ...options, features: { dPoP: { enabled: true, allowReplay: true } } });
    const headers = await own.atToken();
    for (let times = 0; times < 2; times++) {
      expect(outcome(await poll(server, await approved(server), {}, { headers }))).toBe(200);
    }
  });

  it('has to be there for a client that is registered for it, with every poll, and a poll without is none [DPOP-6]', async () => {
    const server = make(options);
    const authReqId = await asked(server, {}, { client: 'bound' });
    for (let times = 0; times < 2; times++) {
      await expectSpared(server, authReqId, {}, 'invalid_request', 'bound');
    }
    const pending = await poll(server, authReqId, {}, { client: 'bound', headers: await own.atToken() });
    expect(outcome(pending)).toBe('authorization_pending');
    await server.approve(authReqId);
    await expectSpared(server, authReqId, {}, 'invalid_request', 'bound');
    const redeemed = await poll(server, authReqId, {}, { client: 'bound', headers: await own.atToken() });
    expect(outcome(redeemed)).toBe(200);
  });

  it('of another key is all that a refresh needs, for tokens of that key [DPOP-9]', async () => {
    const server = make(options);
    const authReqId = await approved(server, { scope: 'openid offline_access' });
    const { body } = await poll(server, authReqId, {}, { headers: await own.atToken() });
    const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    const refreshed = await post(server, TOKEN, refresh, { headers: await another.atToken() });
    expect({ status: refreshed.status, type: refreshed.body.token_type }).toEqual({
      status: 200,
      type: 'DPoP',
    });
    expect(await introspect(server, refreshed.body.access_token)).toMatchObject({
      cnf: { jkt: another.thumbprint },
    });
  });

  it('is what the userinfo endpoint wants with the token [DPOP-1]', async () => {
    const server = make(options);
    const authReqId = await approved(server);
    const { access_token } = (await poll(server, authReqId, {}, { headers: await own.atToken() })).body;
    const ath = Buffer.from(
      await crypto.subtle.digest('SHA-256', new TextEncoder().encode(access_token)),
    ).toString('base64url');
    const claims = { htm: 'GET', htu: `${ISSUER}/me`, ath };
    const userinfo = async (authorization: string, dpop?: string): Promise<unknown> =>
      outcome(
        await request(server.app)
          .get('/me')
          .set({ host: 'op.example', authorization, ...(dpop && { dpop }) }),
      );
    expect(await userinfo(`DPoP ${access_token}`, await own.proof({ claims }))).toBe(200);
    expect(await userinfo(`DPoP ${access_token}`, await another.proof({ claims }))).toBe('invalid_token');
    expect(await userinfo(`Bearer ${access_token}`)).toBe('invalid_token');
  });
});

onEveryStore('a nonce for DPoP proofs at the token endpoint', (make) => {
  const demanding: PluginServerOptions = {
    ...options,
    features: { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } },
  };

  it.each(['pending', 'approved'] as const)(
    'is given to who has none, which is no poll of the %s request [DPOP-4] [DPOP-5]',
    async (state) => {
      const server = make(demanding);
      const authReqId = await asked(server);
      if (state === 'approved') await server.approve(authReqId);
      const polled = () => server.heard.filter((name) => name.startsWith('poll.')).length;
      let nonce: string | undefined;
      for (const claims of [{}, { nonce: 'of somebody else' }]) {
        const headers = await own.atToken({ claims });
        const challenge = await expectSpared(server, authReqId, headers, 'use_dpop_nonce');
        nonce = challenge.headers['dpop-nonce'];
        expect(nonce).toMatch(/^[A-Za-z0-9_-]+$/);
      }
      expect(polled()).toBe(0);
      const answer = await poll(server, authReqId, {}, { headers: await own.atToken({ claims: { nonce } }) });
      expect(outcome(answer)).toBe(state === 'approved' ? 200 : 'authorization_pending');
    },
  );

  it('does not use up a signed request [DPOP-4] [DPOP-7]', async () => {
    const server = make({
      ...demanding,
      features: { ...demanding.features, requestObjects: { enabled: true } },
    });
    const form = { request: await signed() };
    const sending = async (nonce?: string) => ({
      client: 'signer',
      headers: await own.atBackchannel(nonce === undefined ? {} : { claims: { nonce } }),
    });
    const challenge = await post(server, BACKCHANNEL, form, await sending());
    expect(outcome(challenge)).toBe('use_dpop_nonce');
    const nonce = String(challenge.headers['dpop-nonce']);
    expect(outcome(await post(server, BACKCHANNEL, form, await sending(nonce)))).toBe(200);
  });
});

/** A signed authentication request. */
function signed(claims: Record<string, unknown> = {}): Promise<string> {
  const all = { iss: 'signer', aud: ISSUER, scope: 'openid', login_hint: 'alice', jti: randomUUID() };
  return new SignJWT({ ...all, iat: seconds(), nbf: seconds(), exp: seconds() + 60, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'signing' })
    .sign(signing.privateKey);
}

onEveryStore('a DPoP proof at the backchannel endpoint', (make) => {
  it.each(['till', 'pinged'])(
    'ties the request of %s to its key: the token request proves the same one [DPOP-7]',
    async (client) => {
      const server = make(options);
      const params = client === 'pinged' ? { client_notification_token: 'the-token-of-the-client' } : {};
      const authReqId = await asked(server, params, { client, headers: await own.atBackchannel() });
      await server.approve(authReqId);
      const other = await another.atToken();
      await expectSpared(server, authReqId, other, 'invalid_dpop_proof', client);
      await expectSpared(server, authReqId, {}, 'invalid_dpop_proof', client);
      const redeemed = await poll(server, authReqId, {}, { client, headers: await own.atToken() });
      expect({ status: redeemed.status, type: redeemed.body.token_type }).toEqual({
        status: 200,
        type: 'DPoP',
      });
      expect(await introspect(server, redeemed.body.access_token)).toMatchObject({
        cnf: { jkt: own.thumbprint },
      });
    },
  );

  it.each<[string, ProofMembers]>([
    ['of the token endpoint [DPOP-3]', { claims: { htu: `${ISSUER}${TOKEN}` } }],
    ['that is ten minutes old [DPOP-10]', { claims: { iat: seconds() - 600 } }],
    ['signed with another key', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['of another type', { header: { typ: 'JWT' } }],
    ['without a name', { claims: { jti: undefined } }],
  ])('is refused %s: nobody is asked [DPOP-2] [DPOP-7]', async (_what, members) => {
    const server = make(options);
    const headers = await own.atBackchannel(members);
    await expectRefused(server, () => ask(server, {}, { headers }), { error: 'invalid_dpop_proof' });
  });

  it('is accepted once [DPOP-2] [DPOP-10]', async () => {
    const server = make(options);
    const headers = await own.atBackchannel();
    await asked(server, {}, { headers });
    await expectRefused(server, () => ask(server, {}, { headers }), { error: 'invalid_dpop_proof' });
  });

  it('is optional, also for a client that is registered for bound tokens: then any key will do [DPOP-7]', async () => {
    const server = make(options);
    const authReqId = await approved(server, {}, 'bound');
    const redeemed = await poll(server, authReqId, {}, { client: 'bound', headers: await another.atToken() });
    expect(outcome(redeemed)).toBe(200);
  });

  it('does not tie what is done with the refresh token afterwards [DPOP-9]', async () => {
    const server = make(options);
    const params = { scope: 'openid offline_access' };
    const authReqId = await asked(server, params, { headers: await own.atBackchannel() });
    await server.approve(authReqId);
    const { refresh_token } = (await poll(server, authReqId, {}, { headers: await own.atToken() })).body;
    const refresh = { grant_type: 'refresh_token', refresh_token };
    expect(outcome(await post(server, TOKEN, refresh, { headers: await another.atToken() }))).toBe(200);
  });

  it('and dpop_jkt are ignored where DPoP is off', async () => {
    const server = make({ ...options, features: { dPoP: { enabled: false } } });
    const authReqId = await asked(server, { dpop_jkt: 'no thumbprint' }, { headers: { dpop: 'no proof' } });
    await server.approve(authReqId);
    const { status, body } = await poll(server, authReqId);
    expect({ status, type: body.token_type }).toEqual({ status: 200, type: 'Bearer' });
  });

  it('is good for five minutes, and remembered for as long [DPOP-10]', async () => {
    const server = make(options);
    const headers = await own.atBackchannel();
    const clock = processClock();
    try {
      clock.advance(290);
      await asked(server, {}, { headers });
      await expectRefused(server, () => ask(server, {}, { headers }), { error: 'invalid_dpop_proof' });
      clock.advance(20);
      await expectRefused(server, () => ask(server, {}, { headers }), { error: 'invalid_dpop_proof' });
    } finally {
      clock.restore();
    }
  });
});

onEveryStore('dpop_jkt in an authentication request', (make) => {
  const dpop_jkt = own.thumbprint;

  it('ties the request to the key that it names [DPOP-8]', async () => {
    const server = make(options);
    const authReqId = await approved(server, { dpop_jkt });
    await expectSpared(server, authReqId, await another.atToken(), 'invalid_dpop_proof');
    await expectSpared(server, authReqId, {}, 'invalid_dpop_proof');
    expect(outcome(await poll(server, authReqId, {}, { headers: await own.atToken() }))).toBe(200);
  });

  it('is the key of the proof beside it [DPOP-8]', async () => {
    const server = make(options);
    await asked(server, { dpop_jkt }, { headers: await own.atBackchannel() });
    const headers = await another.atBackchannel();
    await expectRefused(server, () => ask(server, { dpop_jkt }, { headers }), { error: 'invalid_request' });
  });

  it.each([
    ['short', dpop_jkt.slice(1)],
    ['long', `${dpop_jkt}A`],
    ['not base64url', `${dpop_jkt.slice(0, -1)}=`],
    ['written in a way that no digest is', `${'A'.repeat(42)}B`],
    ['several', [dpop_jkt, dpop_jkt]],
  ])('is refused where it is %s [DPOP-8] [HTTP-4]', async (_what, named) => {
    const server = make(options);
    await expectRefused(server, () => ask(server, { dpop_jkt: named }), { error: 'invalid_request' });
  });

  it('that is empty is none [DPOP-8] [HTTP-5]', async () => {
    const server = make(options);
    const authReqId = await approved(server, { dpop_jkt: '' });
    expect(outcome(await poll(server, authReqId))).toBe(200);
  });

  const send = async (server: PluginServer, form: Params, headers = {}): Promise<Response> =>
    post(server, BACKCHANNEL, form, { headers: { authorization: basic('signer'), ...headers } });

  it('is a claim of a signed request [DPOP-8] [JAR-2]', async () => {
    const server = make(options);
    const { body } = await send(server, { request: await signed({ dpop_jkt }) });
    await server.approve(body.auth_req_id);
    const other = await another.atToken();
    await expectSpared(server, body.auth_req_id, other, 'invalid_dpop_proof', 'signer');
    const redeemed = await poll(
      server,
      body.auth_req_id,
      {},
      { client: 'signer', headers: await own.atToken() },
    );
    expect(outcome(redeemed)).toBe(200);
  });

  it('in a signed request is the key of the proof beside it, and a thumbprint [DPOP-8] [JAR-2]', async () => {
    const server = make(options);
    const bad: readonly [Params, Record<string, string>][] = [
      [{ request: await signed({ dpop_jkt }) }, await another.atBackchannel()],
      [{ request: await signed({ dpop_jkt: 7 }) }, {}],
      [{ request: await signed(), dpop_jkt }, {}],
    ];
    for (const [form, headers] of bad) {
      await expectRefused(server, () => send(server, form, headers), { error: 'invalid_request' });
    }
  });
});

describe('native row 32', () => {
  mends('a request that was sent with a proof is of no use to who has another key [DPOP-7]', {
    bareShows: 200,
    given: { features: { dPoP: { enabled: true } } },
    check: async (server) => {
      const authReqId = await asked(server, {}, { headers: await own.atBackchannel() });
      await server.approve(authReqId);
      const answer = await poll(server, authReqId, {}, { headers: await another.atToken() });
      expect(answer.body.error ?? answer.status).toBe('invalid_dpop_proof');
    },
  });
});
