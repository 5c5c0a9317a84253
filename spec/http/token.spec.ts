import { createHash } from 'node:crypto';
import { createLocalJWKSet, jwtVerify } from 'jose';
import request from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import {
  ask,
  asked,
  CIBA_GRANT,
  ISSUER,
  introspect,
  poll,
  post,
  type Server,
  TOKEN,
} from '../support/server.js';

const AUTH_TIME = 1_700_000_000;
const decision = { acr: 'urn:example:gold', amr: ['pin', 'hwk'], authTime: AUTH_TIME };

onEveryStore('the tokens of an approved request', (make) => {
  it('come in one answer that is never cached [TOK-1] [TOK-5] [HTTP-8] [HTTP-9]', async () => {
    const server = make();
    const authReqId = await asked(server, { scope: 'openid offline_access' });
    await server.approve(authReqId);
    const { status, headers, body } = await poll(server, authReqId);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers['cache-control']).toContain('no-store');
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      id_token: expect.any(String),
      refresh_token: expect.any(String),
      scope: 'openid offline_access',
    });
    expect(await introspect(server, body.access_token)).toMatchObject({
      active: true,
      client_id: 'till',
      sub: 'alice',
      scope: 'openid offline_access',
    });
  });

  it('hold an ID Token that the published keys verify, with what the decision said [TOK-9] [TOK-10] [TOK-11] [REQ-12] [UX-7]', async () => {
    const server = make({
      config: {
        acrValues: ['urn:example:gold'],
        claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'] },
      },
    });
    const authReqId = await asked(server, { login_hint: 'bob', acr_values: 'urn:example:gold', nonce: 'n' });
    await server.approve(authReqId, decision);
    const { body } = await poll(server, authReqId);
    const { payload, protectedHeader } = await verified(server, body.id_token);
    expect(protectedHeader).toMatchObject({ alg: 'RS256', kid: 'op-key' });
    expect(payload).toMatchObject({
      sub: 'bob',
      acr: 'urn:example:gold',
      amr: ['pin', 'hwk'],
      auth_time: AUTH_TIME,
    });
    expect(payload).not.toHaveProperty('c_hash');
    expect(payload).not.toHaveProperty('s_hash');
    const half = createHash('sha256')
      .update(body.access_token)
      .digest()
      .subarray(0, 16)
      .toString('base64url');
    expect(payload['at_hash'] ?? half).toBe(half);
  });

  it('are for the part of the scope that the person granted [TOK-5]', async () => {
    const server = make();
    const authReqId = await asked(server, { scope: 'openid profile offline_access' });
    await server.approve(authReqId, { scope: 'openid' });
    const { body } = await poll(server, authReqId);
    expect(body.scope).toBe('openid');
    expect(body).not.toHaveProperty('refresh_token');
    const userinfo = await post(
      server,
      '/me',
      {},
      { headers: { authorization: `Bearer ${body.access_token}` } },
    );
    expect(userinfo.body).toEqual({ sub: 'alice' });
  });

  it('are not widened by a scope in the token request [TOK-17]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    expect((await poll(server, authReqId, { scope: 'openid profile' })).body.scope).toBe('openid');
  });

  it('hold a refresh token that only this client can use [TOK-15]', async () => {
    const server = make();
    const authReqId = await asked(server, { scope: 'openid offline_access' });
    await server.approve(authReqId);
    const { refresh_token } = (await poll(server, authReqId)).body;
    const refresh = { grant_type: 'refresh_token', refresh_token };
    expect((await post(server, TOKEN, refresh, { client: 'kiosk' })).body.error).toBe('invalid_grant');
    const refreshed = await post(server, TOKEN, refresh);
    expect(refreshed.status).toBe(200);
    expect((await verified(server, refreshed.body.id_token)).payload.sub).toBe('alice');
  });

  it('are issued once, and a second poll harms nothing [TOK-6]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const { access_token } = (await poll(server, authReqId)).body;
    expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
    server.advance(60);
    expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
    expect((await introspect(server, access_token)).active).toBe(true);
  });

  it('can be revoked by the client as every token', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const { access_token } = (await poll(server, authReqId)).body;
    await post(server, '/token/revocation', { token: access_token });
    expect((await introspect(server, access_token)).active).toBe(false);
  });
});

onEveryStore('an auth_req_id', (make) => {
  it('is collectable until its end [TOK-14]', async () => {
    const server = make();
    const { body } = await ask(server, { requested_expiry: '100' });
    await server.approve(body.auth_req_id);
    server.advance(95);
    expect((await poll(server, body.auth_req_id)).status).toBe(200);
  });

  it('belongs to the client that asked, even when another one uses the same grant type [TOK-4] [TERR-5]', async () => {
    const server = make();
    const authReqId = await asked(server);
    const foreign = await poll(server, authReqId, {}, { client: 'kiosk' });
    const unknown = await poll(server, 'A'.repeat(43), {}, { client: 'kiosk' });
    expect(foreign.body.error).toBe('invalid_grant');
    expect(foreign.body).toEqual(unknown.body);

    // The owner's first poll is still the first, and the outcome is still its own.
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
    await server.approve(authReqId);
    expect((await poll(server, authReqId, {}, { client: 'kiosk' })).body.error).toBe('invalid_grant');
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('is found by the exact grant type [TOK-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const other = { grant_type: 'urn:ietf:params:oauth:grant-type:ciba', auth_req_id: authReqId };
    expect((await post(server, TOKEN, other)).body.error).toBe('unsupported_grant_type');
    expect((await post(server, TOKEN, { ...other, grant_type: CIBA_GRANT })).status).toBe(200);
  });
});

async function verified(server: Server, idToken: string) {
  const { body } = await request(server.app).get('/jwks');
  const audience = (
    JSON.parse(Buffer.from(String(idToken.split('.')[1]), 'base64url').toString()) as { aud: string }
  ).aud;
  expect(audience).toBe('till');
  return jwtVerify(idToken, createLocalJWKSet(body), { issuer: ISSUER, audience });
}
