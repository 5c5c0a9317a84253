import { randomUUID } from 'node:crypto';
import { CompactEncrypt, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { errors } from 'oidc-provider';
import { type CibaOptions, createCiba, type LoginHintTokenOptions } from 'oidc-provider-ciba';
import { codeClient, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { startRedis } from '../support/redis-server.js';
import { expectRefused } from '../support/refusal.js';
import { ask, ISSUER, type PluginServer, pluginServer, poll, type Sending } from '../support/server.js';
import { until } from '../support/until.js';

const TELCO = 'https://telco.example';
const BANK = 'https://bank.example';

const pair = async (algorithm: string, kid: string) => {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { algorithm, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
};
type Key = Awaited<ReturnType<typeof pair>>;
const [telco, telcoNext, bank, rsa, stranger] = await Promise.all([
  pair('ES256', 'telco-1'),
  pair('ES256', 'telco-2'),
  pair('ES256', 'bank-1'),
  pair('RS256', 'telco-rsa'),
  pair('ES256', 'telco-1'),
]);

/** What a token says besides the usual, `undefined` for what it leaves out. */
type Claims = Readonly<Record<string, unknown>>;
const now = (): number => Math.floor(Date.now() / 1000);
const claimsOf = (more: Claims = {}): JWTPayload =>
  JSON.parse(
    JSON.stringify({
      iss: TELCO,
      sub: 'alice',
      aud: ISSUER,
      jti: randomUUID(),
      iat: now(),
      exp: now() + 120,
      ...more,
    }),
  );

async function tokenOf(more: Claims = {}, key: Key = telco, header: object = {}): Promise<string> {
  const { algorithm: alg, kid } = key;
  return new SignJWT(claimsOf(more))
    .setProtectedHeader(JSON.parse(JSON.stringify({ alg, kid, ...header })))
    .sign(key.privateKey);
}

const options = (more: Partial<LoginHintTokenOptions> = {}): CibaOptions => ({
  loginHintToken: {
    issuers: [
      { issuer: TELCO, jwks: { keys: [telco.jwk, telcoNext.jwk, rsa.jwk] } },
      { issuer: BANK, jwks: { keys: [bank.jwk] } },
    ],
    ...more,
  },
});

const hint = (server: PluginServer, token: string, params = {}, sending: Sending = {}) =>
  ask(server, { login_hint: undefined, login_hint_token: token, ...params }, sending);

onEveryStore('a login_hint_token of a trusted issuer', (make) => {
  it.each<[string, Claims, Key, object]>([
    ['by the key that it names', {}, telco, {}],
    ['by another key of the issuer', {}, telcoNext, {}],
    ['by a key that it does not name', {}, telcoNext, { kid: undefined }],
    ['with RS256', {}, rsa, {}],
    ['by another issuer', { iss: BANK }, bank, {}],
    ['for several, this server among them', { aud: ['https://other.example', ISSUER] }, telco, {}],
    ['a moment ahead of this server’s clock', { iat: now() + 5, nbf: now() + 5 }, telco, {}],
  ])('names the account that is asked: signed %s [HINT-1]', async (_what, claims, key, header) => {
    const server = make({ ciba: options() });
    const { status, body } = await hint(server, await tokenOf(claims, key, header));
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
    expect(await server.ciba.requests.list('bob')).toEqual([]);
  });

  it('leads to tokens as any other hint, and is kept nowhere', async () => {
    const server = make({ ciba: options() });
    const token = await tokenOf();
    const { auth_req_id: id } = (await hint(server, token)).body;
    expect((await poll(server, id)).body.error).toBe('authorization_pending');
    const [view] = await server.ciba.requests.list('alice');
    const model = await server.provider.BackchannelAuthenticationRequest.find(id);
    expect(JSON.stringify([view, model, server.events])).not.toContain(token.split('.')[2]);
    await server.approve(id);
    expect((await poll(server, id)).status).toBe(200);
  });

  const wrong: readonly (readonly [what: string, ids: string, make: () => Promise<string> | string])[] = [
    [
      'tampered with',
      '[HINT-4]',
      async () => {
        const [header, , signature] = (await tokenOf()).split('.');
        const payload = Buffer.from(JSON.stringify(claimsOf({ sub: 'bob' }))).toString('base64url');
        return `${header}.${payload}.${signature}`;
      },
    ],
    ['without its signature', '[HINT-5]', async () => (await tokenOf()).replace(/[^.]*$/, '')],
    ['not signed at all', '[HINT-5]', () => new UnsecuredJWT(claimsOf()).encode()],
    ['signed by a stranger', '[HINT-4] [SEC-5]', () => tokenOf({}, stranger)],
    ['signed by another issuer', '[HINT-4]', () => tokenOf({}, bank)],
    ['of an unknown issuer', '[HINT-4]', () => tokenOf({ iss: 'https://evil.example' }, stranger)],
    ['of no issuer', '[HINT-4]', () => tokenOf({ iss: undefined })],
    ['of an issuer that is no text', '[HINT-4]', () => tokenOf({ iss: [TELCO] })],
    ['for another server', '[HINT-4]', () => tokenOf({ aud: 'https://other.example' })],
    ['for nobody', '[HINT-4]', () => tokenOf({ aud: undefined })],
    ['without an end', '[HINT-4]', () => tokenOf({ exp: undefined })],
    ['with an end that is no number', '[HINT-4]', () => tokenOf({ exp: 'never' })],
    ['without a beginning', '[HINT-4]', () => tokenOf({ iat: undefined })],
    ['from the future', '[HINT-4]', () => tokenOf({ iat: now() + 60 })],
    ['not good yet', '[HINT-4]', () => tokenOf({ nbf: now() + 60 })],
    ['without an id', '[HINT-4] [PRIV-3]', () => tokenOf({ jti: undefined })],
    ['with an empty id', '[HINT-4] [PRIV-3]', () => tokenOf({ jti: '' })],
    ['with an id that is no text', '[HINT-4] [PRIV-3]', () => tokenOf({ jti: 7 })],
    [
      'signed with the public key as a secret',
      '[HINT-4]',
      () =>
        new SignJWT(claimsOf())
          .setProtectedHeader({ alg: 'HS256', kid: telco.kid })
          .sign(new TextEncoder().encode(JSON.stringify(telco.jwk))),
    ],
    [
      'encrypted',
      '[HINT-10]',
      async () => {
        const { publicKey } = await generateKeyPair('ECDH-ES');
        return new CompactEncrypt(Buffer.from(await tokenOf()))
          .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT' })
          .encrypt(publicKey);
      },
    ],
    ['no token', '[HINT-4]', () => 'alice'],
    ['not even text', '[HINT-4]', () => '\u0000..'],
  ];
  it.each(wrong)('is refused where it is %s, and nobody is asked %s', async (_what, _ids, tokenFor) => {
    const server = make({ ciba: options() });
    const token = await tokenFor();
    const { body } = await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
    expect(body.error_description).toBe('login_hint_token is not valid');
  });

  it.each([
    ['past its end', { exp: now() - 60, iat: now() - 120 }],
    ['older than it may be', { iat: now() - 330, exp: now() + 600 }],
  ])('is told to have expired where it is %s [HINT-3] [ERR-5]', async (_what, claims) => {
    const server = make({ ciba: options() });
    const token = await tokenOf(claims);
    await expectRefused(server, () => hint(server, token), { error: 'expired_login_hint_token' });
  });

  it('expires by the clock of the server’s tests too [HINT-3]', async () => {
    const server = make({ ciba: options() });
    const token = await tokenOf();
    server.advance(180);
    await expectRefused(server, () => hint(server, token), { error: 'expired_login_hint_token' });
  });

  it('is told to have expired by its age only where its signature is good [HINT-4]', async () => {
    const server = make({ ciba: options() });
    const token = await tokenOf({ exp: now() - 60, iat: now() - 120 }, stranger);
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });

  it('may be as old as the server says', async () => {
    const server = make({ ciba: options({ maxAge: 3600 }) });
    expect((await hint(server, await tokenOf({ iat: now() - 3000 }))).status).toBe(200);
  });

  it('is for the audience that the server says', async () => {
    const server = make({ ciba: options({ audience: 'ciba' }) });
    expect((await hint(server, await tokenOf({ aud: 'ciba' }))).status).toBe(200);
    const token = await tokenOf();
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });

  it('is of the kind that the server says', async () => {
    const server = make({ ciba: options({ typ: 'login-hint+jwt' }) });
    for (const typ of ['login-hint+jwt', 'application/login-hint+jwt']) {
      expect((await hint(server, await tokenOf({}, telco, { typ }))).status).toBe(200);
    }
    for (const typ of ['JWT', 'at+jwt', undefined]) {
      const token = await tokenOf({}, telco, { typ });
      await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
    }
  });

  it('is signed with an algorithm of its issuer’s', async () => {
    const issuers = [{ issuer: TELCO, jwks: { keys: [telco.jwk, rsa.jwk] }, algorithms: ['RS256'] }];
    const server = make({ ciba: { loginHintToken: { issuers } } });
    expect((await hint(server, await tokenOf({}, rsa))).status).toBe(200);
    const token = await tokenOf({}, telco);
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });

  it('names whom the server finds by its claims [HINT-2]', async () => {
    const seen: unknown[] = [];
    const server = make({
      ciba: options({
        resolve: async (claims, ctx) => {
          seen.push(ctx.oidc.client?.clientId);
          return claims['phone_number'] === '+41790000001' ? 'bob' : undefined;
        },
      }),
    });
    const known = await tokenOf({ phone_number: '+41790000001', sub: undefined });
    expect((await hint(server, known)).status).toBe(200);
    expect((await server.ciba.requests.list('bob')).length).toBe(1);
    const unknown = await tokenOf({ phone_number: '+41790000002' });
    await expectRefused(server, () => hint(server, unknown), { error: 'unknown_user_id' });
    expect(seen).toEqual(['till', 'till']);
  });

  it.each([
    ['nobody', { sub: 'mallory' }],
    ['no one', { sub: undefined }],
  ])('that names %s is answered unknown_user_id [HINT-2]', async (_what, claims) => {
    const server = make({ ciba: options() });
    const token = await tokenOf(claims);
    await expectRefused(server, () => hint(server, token), { error: 'unknown_user_id' });
  });

  it('answers as the server’s own code says', async () => {
    const server = make({
      ciba: options({
        resolve: () => {
          throw new errors.InvalidRequest('the SIM was changed today');
        },
      }),
    });
    const token = await tokenOf();
    const { body } = await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
    expect(body.error_description).toBe('the SIM was changed today');
  });
});

onEveryStore('a login_hint_token that was used', (make) => {
  const used = { error: 'expired_login_hint_token' };

  it('is refused, whichever client brings it [PRIV-3]', async () => {
    const server = make({ ciba: options() });
    const token = await tokenOf();
    const { auth_req_id: id } = (await hint(server, token)).body;
    await expectRefused(server, () => hint(server, token), used);
    await expectRefused(server, () => hint(server, token, {}, { client: 'kiosk' }), used);
    await server.deny(id);
    await expectRefused(server, () => hint(server, token), used);
  });

  it('is refused until its end, and then for being old [PRIV-3] [HINT-3]', async () => {
    const server = make({ ciba: options() });
    const token = await tokenOf();
    expect((await hint(server, token)).status).toBe(200);
    for (const seconds of [60, 59, 14, 1, 60, 3600]) {
      server.advance(seconds);
      await expectRefused(server, () => hint(server, token), used);
    }
  });

  it('is not another one of the same issuer, nor one of another with the same id', async () => {
    const server = make({ ciba: options() });
    const jti = 'the-same';
    expect((await hint(server, await tokenOf({ jti }))).status).toBe(200);
    expect((await hint(server, await tokenOf({ jti, iss: BANK }, bank))).status).toBe(200);
    expect((await hint(server, await tokenOf({ jti: 'another' }))).status).toBe(200);
    // However it is signed again, it is the same token.
    const again = await tokenOf({ jti });
    await expectRefused(server, () => hint(server, again), used);
  });

  it('by two at the same time: one of them is acknowledged [PRIV-3]', async () => {
    const server = make({ ciba: { ...options(), limits: false } });
    for (let round = 0; round < 20; round++) {
      const token = await tokenOf();
      const answers = await Promise.all(
        ['till', 'kiosk', 'till'].map((client) => hint(server, token, {}, { client })),
      );
      expect(answers.map(({ status, body }) => body.error ?? status).sort()).toEqual(
        [200, used.error, used.error].sort(),
      );
    }
    expect((await server.ciba.requests.list('alice')).length).toBe(20);
  });

  it('is not used by a request that was refused for another reason: the client comes again with it [UC-2]', async () => {
    const server = make({ ciba: options(), config: { clients: [codeClient, pollClient('till')] } });
    const token = await tokenOf();
    const asCoder = { client: 'coder' };
    const refusals: [object, string][] = [
      [{}, 'missing_user_code'],
      [{ user_code: '4321' }, 'invalid_user_code'],
      [{ user_code: '1234', binding_message: 'x'.repeat(100) }, 'invalid_binding_message'],
      [{ user_code: '1234', scope: 'profile' }, 'invalid_request'],
    ];
    for (const [params, error] of refusals) {
      await expectRefused(server, () => hint(server, token, params, asCoder), { error });
    }
    expect((await hint(server, token, { user_code: '1234' }, asCoder)).status).toBe(200);
    await expectRefused(server, () => hint(server, token, { user_code: '1234' }, asCoder), used);
  });

  it('is not used by a request that a limit has stopped', async () => {
    const server = make({ ciba: { ...options(), limits: { pendingPerClient: 1 } } });
    const first = (await hint(server, await tokenOf())).body.auth_req_id;
    const token = await tokenOf();
    const limited = { status: 429, error: 'temporarily_unavailable' };
    await expectRefused(server, () => hint(server, token), limited);
    await expectRefused(server, () => hint(server, token), limited);
    await server.deny(first);
    expect((await hint(server, token)).status).toBe(200);
    await expectRefused(server, () => hint(server, token), used);
  });
});

describe('while Redis is away', () => {
  it('a login_hint_token is answered 503, and is good afterwards, once [HTTP-12] [PRIV-3]', async () => {
    const redis = await startRedis();
    const server = pluginServer({ redis: redis.client(), ciba: options() });
    expect((await hint(server, await tokenOf())).status).toBe(200);
    const token = await tokenOf();
    redis.pause();
    const away = await hint(server, token);
    redis.resume();
    expect({ status: away.status, error: away.body.error }).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
    });
    await until('it is taken', async () => (await hint(server, token)).status === 200);
    expect((await hint(server, token)).body.error).toBe('expired_login_hint_token');
    await server.close();
    await redis.stop();
  });

  it('two processes on one Redis take a login_hint_token once [PRIV-3]', async () => {
    const redis = await startRedis();
    const ciba = { ...options(), prefix: 'shared', limits: false as const };
    const servers = [0, 1].map(() => pluginServer({ redis: redis.client(), ciba }));
    for (let round = 0; round < 20; round++) {
      const token = await tokenOf();
      const answers = await Promise.all(servers.map((server) => hint(server, token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    }
    await Promise.all(servers.map((server) => server.close()));
    await redis.stop();
  });
});

describe('the keys that an issuer publishes', () => {
  const URI = 'https://telco.example/jwks';
  const open: PluginServer[] = [];
  const serve = (answer: () => Promise<Response> | Response) => {
    const asked: string[] = [];
    const server = pluginServer({
      config: {
        fetch: async (url) => {
          asked.push(String(url));
          return answer();
        },
      },
      ciba: { loginHintToken: { issuers: [{ issuer: TELCO, jwksUri: URI }] } },
    });
    open.push(server);
    return { server, asked };
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });

  it('are fetched with the server’s own fetch, once', async () => {
    const { server, asked } = serve(() => Response.json({ keys: [telco.jwk] }));
    for (let count = 0; count < 3; count++) expect((await hint(server, await tokenOf())).status).toBe(200);
    expect(asked).toEqual([URI]);
  });

  it.each<[string, () => Promise<Response> | Response]>([
    ['a server that fails', () => new Response('', { status: 500 })],
    ['a page', () => new Response('<html>', { status: 200 })],
    ['something else', () => Response.json({ kyes: [] })],
    ['a redirect', () => new Response('', { status: 302, headers: { location: URI } })],
    [
      'no connection',
      () => {
        throw new TypeError('fetch failed');
      },
    ],
    [
      'a time-out',
      () => {
        throw new DOMException('it took too long', 'TimeoutError');
      },
    ],
  ])(
    'and cannot be had, for %s: 503, nothing is said of the token, and it is good afterwards',
    async (_what, broken) => {
      let answer = broken;
      const { server } = serve(() => answer());
      const token = await tokenOf();
      const refused = await expectRefused(server, () => hint(server, token), {
        status: 503,
        error: 'temporarily_unavailable',
      });
      expect(refused.headers['retry-after']).toBe('5');
      answer = () => Response.json({ keys: [telco.jwk] });
      expect((await hint(server, token)).status).toBe(200);
    },
  );

  it('and do not have that of the token: it is refused [HINT-4]', async () => {
    const { server } = serve(() => Response.json({ keys: [bank.jwk] }));
    const token = await tokenOf();
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });

  it('are not asked for where the issuer is not trusted', async () => {
    const { server, asked } = serve(() => Response.json({ keys: [telco.jwk] }));
    const token = await tokenOf({ iss: BANK }, bank);
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
    expect(asked).toEqual([]);
  });
});

describe('the option loginHintToken', () => {
  const configure = (loginHintToken: LoginHintTokenOptions, ciba = {}) =>
    createCiba({ loginHintToken }).configure({ features: { ciba: { enabled: true, ...ciba } } });
  const keys = [telco.jwk];

  it('is not given beside the hook that does the same', () => {
    const issuers = [{ issuer: TELCO, jwks: { keys } }];
    expect(() => configure({ issuers }, { processLoginHintToken: async () => 'alice' })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: 'loginHintToken and features.ciba.processLoginHintToken do the same: give one of them',
      }),
    );
  });

  it('names each issuer once', () => {
    const issuer = { issuer: TELCO, jwks: { keys } };
    expect(() => configure({ issuers: [issuer, issuer] })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: 'loginHintToken.issuers[1] must not be named twice',
      }),
    );
  });

  it.each([
    ['a private key', async () => exportJWK(telco.privateKey)],
    ['a secret', async () => ({ kty: 'oct', k: 'c2VjcmV0' })],
  ])('has public keys only: not %s', async (_what, keyOf) => {
    const issuers = [{ issuer: TELCO, jwks: { keys: [await keyOf()] } }];
    expect(() => configure({ issuers })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: 'loginHintToken.issuers[0].jwks must have public keys only',
      }),
    );
  });

  it('has a key set that is one', () => {
    const issuers = [{ issuer: TELCO, jwks: { keys: ['key'] as never } }];
    expect(() => configure({ issuers })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: expect.stringContaining('issuers[0].jwks'),
      }),
    );
  });
});
