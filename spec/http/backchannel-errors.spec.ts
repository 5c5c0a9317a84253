import request from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import { ask, asked, BACKCHANNEL, basic, CIBA_GRANT, formOf, type Params, post } from '../support/server.js';

onEveryStore('a backchannel request that is refused leaves nothing behind [HTTP-13]', (make) => {
  const refusals: readonly (readonly [what: string, ids: string, params: Params, error: string])[] = [
    ['no hint', '[REQ-5]', { login_hint: undefined }, 'invalid_request'],
    ['an empty hint', '[HTTP-5]', { login_hint: '' }, 'invalid_request'],
    ['two hints', '[REQ-5]', { login_hint_token: 'token' }, 'invalid_request'],
    ['three hints', '[REQ-5]', { login_hint_token: 'token', id_token_hint: 'jwt' }, 'invalid_request'],
    ['an unknown user', '[HINT-2] [ERR-6]', { login_hint: 'mallory' }, 'unknown_user_id'],
    [
      'a login_hint_token where none is supported',
      '[HINT-4]',
      { login_hint: undefined, login_hint_token: 'token' },
      'invalid_request',
    ],
    [
      'an id_token_hint that is no token',
      '[HINT-8]',
      { login_hint: undefined, id_token_hint: 'jwt' },
      'invalid_request',
    ],
    ['no scope', '[REQ-1]', { scope: undefined }, 'invalid_request'],
    ['a scope without openid', '[REQ-2]', { scope: 'profile' }, 'invalid_request'],
    ['openid in capitals', '[REQ-2]', { scope: 'OPENID' }, 'invalid_request'],
    ['a duplicated scope', '[HTTP-4]', { scope: ['openid', 'openid'] }, 'invalid_request'],
    ['a duplicated hint', '[HTTP-4]', { login_hint: ['alice', 'bob'] }, 'invalid_request'],
    ['a request_uri', '[REQ-20]', { request_uri: 'https://evil.example/request' }, 'invalid_request'],
    ['a signed request where none is supported', '[JAR-17]', { request: 'a.b.c' }, 'invalid_request'],
  ];
  it.each(refusals)('%s %s', async (_what, _ids, params, error) => {
    const server = make();
    const { body } = await expectRefused(server, () => ask(server, params), { error });
    expect(server.events).toEqual([
      { name: 'request.refused', event: { clientId: 'till', error: body.error } },
    ]);
  });

  it.each(['0', '-1', '1.5', '1e3', 'abc', '0x20', ' 30', '30s', '99999999999999999999'])(
    'requested_expiry=%s [REQ-16] [REQ-18]',
    async (requestedExpiry) => {
      const server = make();
      await expectRefused(server, () => ask(server, { requested_expiry: requestedExpiry }), {
        error: 'invalid_request',
      });
    },
  );

  it.each([
    ['missing', '[UC-2]', undefined, 'missing_user_code'],
    ['empty', '[UC-2]', '', 'missing_user_code'],
    ['wrong', '[UC-3]', '4321', 'invalid_user_code'],
  ])(
    'a user code that is %s, before the device is reached %s [UC-4]',
    async (_what, _ids, userCode, error) => {
      const reached: string[] = [];
      const server = make({
        hooks: { triggerAuthenticationDevice: (_ctx, { accountId }) => void reached.push(String(accountId)) },
      });
      const send = () => ask(server, { user_code: userCode }, { client: 'coder' });
      await expectRefused(server, send, { error });
      expect(reached).toEqual([]);
      expect((await ask(server, { user_code: '1234' }, { client: 'coder' })).status).toBe(200);
      expect(reached).toEqual(['alice']);
    },
  );

  it('a client without the grant: unauthorized_client [ERR-7]', async () => {
    const server = make();
    await expectRefused(server, () => ask(server, {}, { client: 'web' }), { error: 'unauthorized_client' });
  });

  it('the eleventh pending request of an account: 403 access_denied, until one has ended [ERR-12] [SEC-3]', async () => {
    const server = make({ ciba: { limits: { refusals: false } } });
    const first = await asked(server);
    for (let count = 2; count <= 10; count++)
      await asked(server, {}, { client: count % 2 ? 'kiosk' : 'patient' });
    await expectRefused(server, () => ask(server), { status: 403, error: 'access_denied' });
    expect((await server.ciba.requests.list('alice')).length).toBe(10);
    expect((await ask(server, { login_hint: 'bob' })).status).toBe(200);
    await server.deny(first);
    expect((await ask(server)).status).toBe(200);
    await expectRefused(server, () => ask(server), { status: 403, error: 'access_denied' });
    server.advance(301);
    expect((await ask(server)).status).toBe(200);
  });

  it('a method other than POST: 405 with Allow [HTTP-2]', async () => {
    const server = make();
    for (const method of ['get', 'put', 'delete', 'patch'] as const) {
      const answer = await expectRefused(
        server,
        () =>
          request(server.app)
            [method](`${BACKCHANNEL}?${formOf({ scope: 'openid', login_hint: 'alice' })}`)
            .set('authorization', basic('till')),
        { status: 405, error: 'invalid_request' },
      );
      expect(answer.headers['allow']).toBe('POST');
    }
  });

  it('a JSON body [HTTP-3]', async () => {
    const server = make();
    const send = () =>
      request(server.app)
        .post(BACKCHANNEL)
        .set('authorization', basic('till'))
        .send({ scope: 'openid', login_hint: 'alice' });
    await expectRefused(server, send, { error: 'invalid_request' });
  });

  it('parameters in the query only [HTTP-7]', async () => {
    const server = make();
    const send = () => post(server, `${BACKCHANNEL}?login_hint=alice`, { scope: 'openid' });
    await expectRefused(server, send, { error: 'invalid_request' });
  });

  it('a body that is too large [HTTP-10]', async () => {
    const server = make();
    const answer = await ask(server, { foo: 'x'.repeat(1024 * 1024) });
    expect([400, 413]).toContain(answer.status);
    expectErrorEnvelope(answer);
    expect(await server.ciba.requests.list('alice')).toEqual([]);
  });
});

onEveryStore('a client that fails to authenticate', (make) => {
  it.each([
    ['a wrong secret', basic('till', 'wrong')],
    ['an unknown client', basic('nobody', 'wrong')],
  ])('with %s: 401 with WWW-Authenticate [CA-2] [ERR-11]', async (_what, authorization) => {
    const server = make();
    const send = () => ask(server, {}, { headers: { authorization } });
    const answer = await expectRefused(server, send, { status: 401, error: 'invalid_client' });
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
  });

  it('reads the same whether the client or the secret is wrong [CA-10]', async () => {
    const server = make();
    const [one, other] = [
      await ask(server, {}, { headers: { authorization: basic('till', 'wrong') } }),
      await ask(server, {}, { headers: { authorization: basic('nobody', 'wrong') } }),
    ];
    expect(one.body).toEqual(other.body);
  });

  it('learns nothing about users [REQ-22]', async () => {
    const server = make();
    const headers = { authorization: basic('till', 'wrong') };
    const send = () => ask(server, { login_hint: 'mallory' }, { headers });
    await expectRefused(server, send, { status: 401, error: 'invalid_client' });
  });

  it('sends no credentials [CA-1]', async () => {
    const server = make();
    const send = () =>
      request(server.app)
        .post(BACKCHANNEL)
        .type('form')
        .send(formOf({ scope: 'openid', login_hint: 'alice' }));
    const answer = await expectRefused(server, send, { error: 'invalid_request' });
    expect(answer.body.error_description).toBe('no client authentication mechanism provided');
  });
});

onEveryStore('every error of the backchannel endpoint', (make) => {
  it.each(['"quoted" \\ and\r\nbroken', 'ünïcode', '😀', '\u0000'])(
    'keeps to the characters of an error_description, whatever was sent: %j [ERR-2]',
    async (text) => {
      const server = make({
        ciba: {
          resolveLoginHint: async (hint) => {
            const { errors } = await import('oidc-provider');
            throw new errors.InvalidRequest(`cannot use ${hint}`);
          },
        },
      });
      const answer = await expectRefused(server, () => ask(server, { login_hint: text }), {
        error: 'invalid_request',
      });
      expect(answer.body.error_description).toMatch(/^cannot use /);
    },
  );

  it('is JSON for a client that prefers a page [HTTP-8] [ERR-1]', async () => {
    const server = make();
    const send = () => ask(server, { login_hint: 'mallory' }, { headers: { accept: 'text/html' } });
    await expectRefused(server, send, { error: 'unknown_user_id' });
  });

  it.each(['/backchannel/', '/BACKCHANNEL', '/token/', '/Token'])(
    'is JSON at %s as well, which oidc-provider takes for the same endpoint [HTTP-8] [ERR-1]',
    async (path) => {
      const answer = await post(make(), path, { scope: '<b>' }, { headers: { accept: 'text/html' } });
      expect(answer.status).toBe(400);
      expectErrorEnvelope(answer);
    },
  );

  it('does not say back which page it was sent from', async () => {
    const server = make();
    const headers = { origin: 'https://elsewhere.example' };
    const asked = await ask(server, {}, { headers });
    const polled = await post(server, '/token', { grant_type: CIBA_GRANT, auth_req_id: 'x' }, { headers });
    for (const { text } of [asked, polled]) expect(text).not.toContain('elsewhere');
  });

  it('is a 500 without internals where the server’s own code fails [ERR-15]', async () => {
    const server = make({
      ciba: {
        resolveLoginHint: () => {
          throw new Error('password of the directory: hunter2');
        },
      },
    });
    const answer = await expectRefused(server, () => ask(server), { status: 500, error: 'server_error' });
    expect(answer.text).not.toContain('hunter2');
  });
});
