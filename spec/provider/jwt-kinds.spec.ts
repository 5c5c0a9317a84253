import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { asked, CIBA_GRANT, ISSUER, type PluginServer, pluginServer, poll } from '../support/server.js';

const [clientKey, proofKey, hinterKey] = await Promise.all(
  ['client', 'proof', 'hinter'].map(() => generateKeyPair('ES256', { extractable: true })),
);
if (!clientKey || !proofKey || !hinterKey) throw new Error('there are no keys');
const jwk = { ...(await exportJWK(clientKey.publicKey)), kid: 'own' };
const proofJwk = await exportJWK(proofKey.publicKey);
const hinterJwk = await exportJWK(hinterKey.publicKey);

const signer = pollClient('signer', {
  client_secret: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  backchannel_authentication_request_signing_alg: 'ES256',
  jwks_uri: 'https://signer.example/jwks',
});
const asserter = {
  ...signer,
  client_id: 'asserter',
  backchannel_authentication_request_signing_alg: undefined,
};

let server: PluginServer;
beforeAll(() => {
  server = pluginServer({
    config: {
      clients: [signer, asserter, pollClient('till')],
      fetch: async () => globalThis.Response.json({ keys: [jwk] }),
    },
    features: { requestObjects: { enabled: true }, dPoP: { enabled: true } },
    hooks: { processLoginHintToken: undefined },
    ciba: {
      limits: false,
      loginHintToken: { issuers: [{ issuer: 'https://hints.example', jwks: { keys: [hinterJwk] } }] },
    },
  });
});

const now = (): number => Math.floor(Date.now() / 1000);
const times = () => ({ iat: now(), exp: now() + 60, jti: randomUUID() });

/** A JWT of each kind that is good where it belongs; those of a client are of the one that is named. */
const KINDS: Readonly<Record<string, (client: string) => Promise<string>>> = {
  'a client assertion': (client) =>
    new SignJWT({ iss: client, sub: client, aud: ISSUER, ...times() })
      .setProtectedHeader({ alg: 'ES256', kid: 'own' })
      .sign(clientKey.privateKey),
  'a signed request': (client) =>
    new SignJWT({ iss: client, aud: ISSUER, nbf: now(), ...times(), scope: 'openid', login_hint: 'alice' })
      .setProtectedHeader({ alg: 'ES256', kid: 'own' })
      .sign(clientKey.privateKey),
  'an ID Token': async () => {
    const id = await asked(server, {}, { client: 'till' });
    await server.approve(id);
    return (await poll(server, id)).body.id_token;
  },
  'a DPoP proof': () =>
    new SignJWT({ htm: 'POST', htu: `${ISSUER}/token`, iat: now(), jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: proofJwk })
      .sign(proofKey.privateKey),
  'a login hint token': () =>
    new SignJWT({ iss: 'https://hints.example', sub: 'alice', aud: ISSUER, ...times() })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(hinterKey.privateKey),
};

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const send = async (path: string, form: Record<string, string>, headers = {}): Promise<Response> =>
  request(server.app).post(path).set('host', 'op.example').set(headers).type('form').send(form);
const authenticated = async (client: string): Promise<Record<string, string>> => ({
  client_assertion_type: JWT_BEARER,
  client_assertion: await (KINDS['a client assertion'] as (client: string) => Promise<string>)(client),
});

/** Each place that takes one kind of JWT, with the answer to another kind. */
const PLACES: readonly (readonly [
  kind: string,
  client: string,
  errors: readonly string[],
  send: (jwt: string) => Promise<Response>,
])[] = [
  [
    'a client assertion',
    'asserter',
    ['invalid_client', 'invalid_request'],
    (jwt) =>
      send('/backchannel', {
        client_assertion_type: JWT_BEARER,
        client_assertion: jwt,
        scope: 'openid',
        login_hint: 'alice',
      }),
  ],
  [
    'a signed request',
    'signer',
    ['invalid_request'],
    async (jwt) => send('/backchannel', { ...(await authenticated('signer')), request: jwt }),
  ],
  [
    'an ID Token',
    'till',
    ['invalid_request'],
    (jwt) => send('/backchannel', { scope: 'openid', id_token_hint: jwt }, { authorization: till }),
  ],
  [
    'a login hint token',
    'till',
    ['invalid_request'],
    (jwt) => send('/backchannel', { scope: 'openid', login_hint_token: jwt }, { authorization: till }),
  ],
  [
    'a DPoP proof',
    'till',
    ['invalid_dpop_proof'],
    async (jwt) => {
      const id = await asked(server, {}, { client: 'till' });
      await server.approve(id);
      return send('/token', { grant_type: CIBA_GRANT, auth_req_id: id }, { authorization: till, dpop: jwt });
    },
  ],
];
const till = `Basic ${Buffer.from('till:till-secret').toString('base64')}`;

describe.each(PLACES)('where %s belongs', (kind, client, errors, place) => {
  test('it is taken [SEC-10]', async () => {
    const made = await (KINDS[kind] as (client: string) => Promise<string>)(client);
    expect((await place(made)).status).toBe(200);
  });

  test.each(Object.keys(KINDS).filter((other) => other !== kind))('%s is not [SEC-10]', async (other) => {
    const made = await (KINDS[other] as (client: string) => Promise<string>)(client);
    const { status, body } = await place(made);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(errors).toContain(body.error);
  });
});
