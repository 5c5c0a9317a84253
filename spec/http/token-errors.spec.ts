import request from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import {
  ask,
  asked,
  basic,
  CIBA_GRANT,
  formOf,
  type Params,
  type PluginServer,
  poll,
  post,
  TOKEN,
} from '../support/server.js';

/** A poll that must be refused, and brings no token of any kind. */
async function expectError(
  server: PluginServer,
  authReqId: string,
  error: string,
  params: Params = {},
): Promise<string | undefined> {
  const answer = await poll(server, authReqId, params);
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error });
  expectErrorEnvelope(answer);
  return answer.body.error_description;
}

onEveryStore('a pending request', (make) => {
  it('answers authorization_pending with Retry-After, and no token [TERR-1] [TOK-8] [POLL-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    const pending = await poll(server, authReqId);
    expect(pending.headers['retry-after']).toBe('5');
    expect(pending.body.error).toBe('authorization_pending');
    expectErrorEnvelope(pending);
    expect(server.events.at(-1)).toEqual({
      name: 'poll.pending',
      event: { handle: server.ciba.requests.handleOf(authReqId), clientId: 'till', tooFast: false },
    });
  });
});

onEveryStore('a request that ends without a decision', (make) => {
  it('answers expired_token after 12 and after 60 seconds, and invalid_grant once it is forgotten [TERR-3]', async () => {
    const server = make();
    const authReqId = await asked(server, { requested_expiry: '10' });
    server.advance(12);
    await expectError(server, authReqId, 'expired_token');
    server.advance(48);
    await expectError(server, authReqId, 'expired_token');
    expect(server.events.filter(({ name }) => name === 'poll.expired').length).toBe(2);
    server.advance(600);
    await expectError(server, authReqId, 'invalid_grant');
  });

  it('is remembered for as long as the server wants', async () => {
    const server = make({ ciba: { retention: 60 } });
    const authReqId = await asked(server, { requested_expiry: '10' });
    server.advance(65);
    await expectError(server, authReqId, 'expired_token');
    server.advance(10);
    await expectError(server, authReqId, 'invalid_grant');
  });

  it('is expired too when it was approved and nobody came [TERR-3] [ACK-5]', async () => {
    const server = make();
    const authReqId = await asked(server, { requested_expiry: '10' });
    await server.approve(authReqId);
    server.advance(12);
    await expectError(server, authReqId, 'expired_token');
  });

  it('is not approved any more [UX-5]', async () => {
    const server = make();
    const authReqId = await asked(server, { requested_expiry: '10' });
    server.advance(12);
    await expect(server.approve(authReqId)).rejects.toMatchObject({ code: 'expired' });
    await expectError(server, authReqId, 'expired_token');
  });
});

onEveryStore('a request that the person denied', (make) => {
  it('answers access_denied with the reason, as often as it is asked [TERR-4]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.deny(authReqId, 'this is not my order');
    expect(await expectError(server, authReqId, 'access_denied')).toBe('this is not my order');
    expect(await expectError(server, authReqId, 'access_denied')).toBe('this is not my order');
    server.advance(320);
    expect(await expectError(server, authReqId, 'access_denied')).toBe('this is not my order');
    server.advance(600);
    await expectError(server, authReqId, 'invalid_grant');
  });

  it('keeps a reason to the characters allowed [ERR-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.deny(authReqId, 'she said "no" \\ 😀\nnée');
    expect(await expectError(server, authReqId, 'access_denied')).toBe("she said 'no' ? ???n?e");
  });

  it('may answer with the error of the server’s choice', async () => {
    const server = make();
    const authReqId = await asked(server);
    const handle = server.ciba.requests.handleOf(authReqId);
    await server.ciba.requests.deny(handle, { accountId: 'alice', error: 'transaction_failed' });
    await expectError(server, authReqId, 'transaction_failed');
  });

  it('is access_denied as well when the server withdrew it', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.ciba.requests.cancel(server.ciba.requests.handleOf(authReqId));
    expect(await expectError(server, authReqId, 'access_denied')).toBe('the request was cancelled');
    await expectError(server, authReqId, 'access_denied');
  });
});

onEveryStore('a token request that is malformed', (make) => {
  it.each([
    ['no auth_req_id', '[TOK-3]', { auth_req_id: undefined }, 'invalid_request'],
    ['an empty auth_req_id', '[TOK-3]', { auth_req_id: '' }, 'invalid_request'],
    ['a duplicated auth_req_id', '[HTTP-4]', { auth_req_id: ['a', 'a'] }, 'invalid_request'],
    ['no grant_type', '[TOK-2]', { grant_type: undefined }, 'invalid_request'],
    ['an unknown auth_req_id', '[TERR-5]', { auth_req_id: 'x'.repeat(43) }, 'invalid_grant'],
    ['an auth_req_id of strange characters', '[TERR-5]', { auth_req_id: '"\\\r\n😀' }, 'invalid_grant'],
  ])('is refused: %s %s', async (_what, _ids, params, error) => {
    await expectError(make(), 'replaced', error, params);
  });

  it('as JSON is refused [HTTP-3]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const answer = await request(server.app)
      .post(TOKEN)
      .set('authorization', basic('till'))
      .send({ grant_type: CIBA_GRANT, auth_req_id: authReqId });
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 400,
      error: 'invalid_request',
    });
    expectErrorEnvelope(answer);
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('with another method is refused without a look: 405 with Allow [HTTP-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const form = formOf({ grant_type: CIBA_GRANT, auth_req_id: authReqId });
    for (const method of ['get', 'put', 'delete'] as const) {
      const answer = await request(server.app)
        [method](`${TOKEN}?${form}`)
        .set('authorization', basic('till'));
      expect({ status: answer.status, allow: answer.headers['allow'] }).toEqual({
        status: 405,
        allow: 'POST',
      });
      expectErrorEnvelope(answer);
    }
    expect((await poll(server, authReqId)).status).toBe(200);
  });
});

onEveryStore('a token request of a client', (make) => {
  it('with a wrong secret: 401 with WWW-Authenticate, and the request is untouched [TERR-8] [CA-2]', async () => {
    const server = make();
    const authReqId = await asked(server);
    const headers = { authorization: basic('till', 'wrong') };
    const refused = await poll(server, authReqId, {}, { headers });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 401,
      error: 'invalid_client',
    });
    expect(refused.headers['www-authenticate']).toMatch(/^Basic /);
    expectErrorEnvelope(refused);
    await expectError(server, authReqId, 'authorization_pending');
  });

  it('that does not hold the grant: unauthorized_client [TOK-12]', async () => {
    const server = make();
    const params = { grant_type: CIBA_GRANT, auth_req_id: await asked(server) };
    const refused = await post(server, TOKEN, params, { client: 'web' });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 400,
      error: 'unauthorized_client',
    });
    expectErrorEnvelope(refused);
  });

  it('that prefers a page is JSON nevertheless [HTTP-8] [ERR-1]', async () => {
    const server = make();
    const { body } = await ask(server);
    const answer = await poll(server, body.auth_req_id, {}, { headers: { accept: 'text/html' } });
    expect(answer.body.error).toBe('authorization_pending');
    expectErrorEnvelope(answer);
  });
});
