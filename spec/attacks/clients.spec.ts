import { CompactEncrypt, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import request from 'supertest';
import { ask, BACKCHANNEL, basic, CIBA_GRANT, ISSUER, type PluginServer, TOKEN } from '../support/server.js';
import { attackSpecs, type Run } from './attack-specs.js';
import { type SigningClient, seconds, signingClient } from './signing-client.js';

const signer: SigningClient = await signingClient();
const encrypting = await generateKeyPair('RSA-OAEP-256');
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const NO_CLIENT = { status: 401, error: 'invalid_client' };

const assert = (server: PluginServer, jwt: string, path = BACKCHANNEL, form: object = {}) =>
  request(server.app)
    .post(path)
    .set('host', 'op.example')
    .type('form')
    .send({
      client_assertion_type: JWT_BEARER,
      client_assertion: jwt,
      scope: 'openid',
      login_hint: 'alice',
      ...form,
    })
    .then();

/** Signed requests with these claims are refused, each by itself. */
const refusing =
  (...claims: readonly (() => Record<string, unknown>)[]): Run =>
  async ({ make, refused }) => {
    const server = make(signer.options);
    for (const of of claims) await refused(server, () => signer.ask(server, of()), 'invalid_request');
    expect((await signer.ask(server)).status).toBe(200);
  };

attackSpecs('Client authentication and request objects', {
  async A21({ make, refused }) {
    const server = make(signer.options);
    const form = { scope: 'openid', login_hint: 'alice' };
    const nobody = async () => request(server.app).post(BACKCHANNEL).type('form').send(form);
    await refused(server, nobody, 'invalid_request');
    for (const authorization of [basic('till', 'wrong'), basic('nobody')]) {
      await refused(server, () => ask(server, {}, { headers: { authorization } }), NO_CLIENT);
    }
    const both = { client_assertion_type: JWT_BEARER, client_assertion: await signer.assertion() };
    await refused(server, () => ask(server, both), 'invalid_request');
  },
  async A22({ make, refused }) {
    const server = make(signer.options);
    const jwt = await signer.assertion();
    const { status, body } = await assert(server, jwt);
    expect(status).toBe(200);
    await refused(server, () => assert(server, jwt), NO_CLIENT);
    const form = { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id };
    await refused(server, () => assert(server, jwt, TOKEN, form), NO_CLIENT);
  },
  async A23({ make, refused }) {
    const server = make(signer.options);
    for (const aud of ['https://evil.example/token', ['https://evil.example', 'https://other.example']]) {
      const jwt = await signer.assertion({ claims: { aud } });
      await refused(server, () => assert(server, jwt), NO_CLIENT);
    }
    const both = await signer.assertion({ claims: { aud: [ISSUER, 'https://evil.example'] } });
    expect((await assert(server, both)).status).toBe(200);
    await refused(server, () => assert(server, both), NO_CLIENT);
  },
  async A24({ make, refused }) {
    const server = make(signer.options);
    const claims = {
      iss: 'asserter',
      sub: 'asserter',
      aud: ISSUER,
      jti: 'x',
      iat: seconds(),
      exp: seconds() + 60,
    };
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: 'own' })
      .sign(new TextEncoder().encode(JSON.stringify(signer.publicJwk)));
    for (const jwt of [new UnsecuredJWT(claims).encode(), forged]) {
      await refused(server, () => assert(server, jwt), NO_CLIENT);
    }
  },
  async A26({ make, refused }) {
    const server = make(signer.options);
    const send = () => signer.send(server, { scope: 'openid', login_hint: 'alice' });
    await refused(server, send, 'invalid_request');
  },
  A27: refusing(...['aud', 'iss', 'exp', 'iat', 'nbf', 'jti'].map((name) => () => ({ [name]: undefined }))),
  A28: refusing(
    () => ({ exp: seconds() - 300 }),
    () => ({ nbf: seconds() + 600 }),
    () => ({ aud: 'https://elsewhere.example' }),
    () => ({ iss: 'other' }),
  ),
  async A29({ make, refused }) {
    const server = make(signer.options);
    const claims = {
      iss: 'signer',
      aud: ISSUER,
      jti: 'y',
      iat: seconds(),
      exp: seconds() + 60,
      scope: 'openid',
    };
    const good = await signer.request();
    const jwe = await new CompactEncrypt(new TextEncoder().encode(good))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A128GCM' })
      .encrypt(encrypting.publicKey);
    const wrong = [
      new UnsecuredJWT(claims).encode(),
      `${good.slice(0, -8)}AAAAAAAA`,
      await signer.request({ key: signer.othersKey }),
      jwe,
    ];
    for (const jwt of wrong)
      await refused(server, () => signer.send(server, { request: jwt }), 'invalid_request');
    for (const name of ['login_hint', 'binding_message', 'scope', 'requested_expiry']) {
      const beside = { request: await signer.request(), [name]: name === 'login_hint' ? 'bob' : 'openid' };
      await refused(server, () => signer.send(server, beside), 'invalid_request');
    }
    const inside = async () => {
      const form = { request_uri: 'http://169.254.169.254/latest', scope: 'openid', login_hint: 'alice' };
      await refused(server, () => signer.send(server, form), 'invalid_request');
    };
    await inside();
    expect(signer.fetched).toEqual([]);
    expect((await signer.send(server, { request: good })).status).toBe(200);
    await refused(server, () => signer.send(server, { request: good }), 'invalid_request');
  },
});
