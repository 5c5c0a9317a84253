import { createHash, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto';
import { CompactEncrypt, exportJWK, SignJWT } from 'jose';
import type { Client, ClientMetadata } from 'oidc-provider';
import request from 'supertest';
import { findAccount, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { mends } from '../support/native-row.js';
import { expectRefused } from '../support/refusal.js';
import {
  accountOf,
  ask,
  BACKCHANNEL,
  formOf,
  ISSUER,
  type PluginServer,
  poll,
  type Sending,
  type Server,
  type ServerOptions,
} from '../support/server.js';

const DAY = 86_400;

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
type Key = ReturnType<typeof rsa>;
const [current, retired, stranger] = [rsa(), rsa(), rsa()];
const jwk = (key: Key, kid: string): JsonWebKey =>
  ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }) as JsonWebKey;
const keys = [jwk(current, 'current'), jwk(retired, 'retired')];

const now = (): number => Math.floor(Date.now() / 1000);

/** An ID Token as the server would have issued it an hour before `ago` seconds. */
interface Issued {
  readonly ago?: number;
  readonly key?: Key;
  readonly header?: object;
  readonly claims?: Readonly<Record<string, unknown>>;
}

async function idToken({ ago = 0, key = current, header = {}, claims = {} }: Issued = {}): Promise<string> {
  const iat = now() - ago;
  const kid = key === retired ? 'retired' : 'current';
  const payload = { iss: ISSUER, aud: 'till', sub: 'alice', iat, exp: iat + 3600, ...claims };
  return new SignJWT(JSON.parse(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'RS256', kid, ...header })
    .sign(key);
}

const hint = (server: Server, token: string, params = {}, sending: Sending = {}) =>
  ask(server, { login_hint: undefined, id_token_hint: token, ...params }, sending);

const given: ServerOptions = { config: { jwks: { keys: keys as never } } };

onEveryStore('an id_token_hint', (make) => {
  it('that the server has just issued names the account that is asked [HINT-1] [REQ-8]', async () => {
    const server = make(given);
    const first = (await ask(server)).body.auth_req_id;
    await server.approve(first);
    const { id_token: issued } = (await poll(server, first)).body;
    const { status, body } = await hint(server, issued);
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
    expect(await server.ciba.requests.list('bob')).toEqual([]);
  });

  it.each<[string, string, Issued]>([
    ['that is valid', '[HINT-6]', {}],
    ['for several clients, this one among them', '[HINT-7]', { claims: { aud: ['kiosk', 'till'] } }],
    ['signed with a key that is retired and kept', '[HINT-8]', { key: retired }],
    ['that has expired yesterday', '[HINT-9]', { ago: DAY }],
    ['that is nearly as old as it may be', '[HINT-9]', { ago: 30 * DAY - 60 }],
    ['that says what it is', '[HINT-6]', { header: { typ: 'JWT' } }],
  ])('%s is accepted %s', async (_what, _id, issued) => {
    const server = make(given);
    const { status, body } = await hint(server, await idToken(issued));
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
  });

  const refused: readonly (readonly [what: string, id: string, token: () => Promise<string>])[] = [
    ['of another issuer', '[HINT-6]', () => idToken({ claims: { iss: 'https://evil.example' } })],
    ['signed by another issuer', '[HINT-6] [HINT-8]', () => idToken({ key: stranger })],
    ['issued to another client', '[HINT-7]', () => idToken({ claims: { aud: 'kiosk' } })],
    ['issued to nobody', '[HINT-7]', () => idToken({ claims: { aud: undefined } })],
    [
      'that was tampered with',
      '[HINT-8]',
      async () => {
        const [header, payload, signature] = (await idToken()).split('.');
        const claims = JSON.parse(Buffer.from(String(payload), 'base64url').toString());
        const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'bob' })).toString('base64url');
        return `${header}.${forged}.${signature}`;
      },
    ],
    [
      'that is not signed',
      '[HINT-8]',
      async () => {
        const [, payload] = (await idToken()).split('.');
        return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
      },
    ],
    ['that is older than it may be', '[HINT-9] [SEC-6]', () => idToken({ ago: 30 * DAY + 60 })],
    ['that does not say how old it is', '[HINT-9]', () => idToken({ claims: { iat: undefined } })],
    ['that names nobody', '[HINT-6]', () => idToken({ claims: { sub: undefined } })],
    ['that is a logout token', '[HINT-6]', () => idToken({ header: { typ: 'logout+jwt' } })],
    ['that is an access token', '[HINT-6]', () => idToken({ header: { typ: 'at+jwt' } })],
    [
      'that is encrypted, whose inner one would do',
      '[HINT-10]',
      async () =>
        new CompactEncrypt(Buffer.from(await idToken()))
          .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM', cty: 'JWT', kid: 'current' })
          .encrypt(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
    ],
  ];
  it.each(refused)('%s is refused, and nobody is asked %s', async (_what, _id, tokenFor) => {
    const server = make(given);
    const token = await tokenFor();
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });

  it('that was decrypted by the client is accepted [HINT-10]', async () => {
    const server = make(given);
    expect((await hint(server, await idToken())).status).toBe(200);
  });

  it('is as old as the server says at most [HINT-9]', async () => {
    const server = make({ ...given, ciba: { idTokenHintMaxAge: 60 } });
    const [young, old] = [await idToken({ ago: 30 }), await idToken({ ago: 90 })];
    expect((await hint(server, young)).status).toBe(200);
    await expectRefused(server, () => hint(server, old), { error: 'invalid_request' });
    server.advance(60);
    await expectRefused(server, () => hint(server, young), { error: 'invalid_request' });
  });

  it('has the same age for a client that sends a user code, before the code is looked at', async () => {
    const codes: string[] = [];
    const server = make({
      ...given,
      ciba: { verifyUserCode: (_accountId, code) => codes.push(code) > 0 },
    });
    const token = await idToken({ ago: 40 * DAY, claims: { aud: 'coder' } });
    const send = () => hint(server, token, { user_code: '1234' }, { client: 'coder' });
    await expectRefused(server, send, { error: 'invalid_request' });
    expect(codes).toEqual([]);
  });

  it('has the same age where the server wrote the hook for user codes itself', async () => {
    const server = make({
      ...given,
      hooks: { verifyUserCode: () => {} },
      ciba: { verifyUserCode: undefined },
    });
    const token = await idToken({ ago: 40 * DAY });
    await expectRefused(server, () => hint(server, token), { error: 'invalid_request' });
  });
});

describe('native row 24: the age of an id_token_hint', () => {
  mends('one of last month is refused [HINT-9] [SEC-6]', {
    check: async (server) => {
      expect((await hint(server, await idToken({ ago: 31 * DAY }))).status).toBe(400);
    },
    bareShows: 200,
    given,
  });

  mends('another JWT that the server has signed for the client is none [HINT-6]', {
    check: async (server) => {
      const token = await idToken({ header: { typ: 'logout+jwt' } });
      expect((await hint(server, token)).status).toBe(400);
    },
    bareShows: 200,
    given,
  });
});

onEveryStore('a hint is not who they say they are [HINT-13]', (make) => {
  it('a fresh ID Token and an earlier approval bring nothing: the person decides again', async () => {
    const server = make(given);
    const first = (await ask(server)).body.auth_req_id;
    await server.approve(first, { acr: 'gold', amr: ['hwk'], authTime: 1_700_000_000 });
    const { id_token: issued } = (await poll(server, first)).body;
    const second = (await hint(server, issued)).body.auth_req_id;
    expect((await poll(server, second)).body.error).toBe('authorization_pending');
    const [view] = await server.ciba.requests.list('alice');
    expect(view?.handle).toBe(server.ciba.requests.handleOf(second));
    await server.approve(second);
    server.advance(6);
    const tokens = (await poll(server, second)).body;
    const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url').toString());
    // Nothing of how they signed in the first time.
    expect(claims).not.toMatchObject({ acr: 'gold' });
    expect(claims).not.toHaveProperty('amr');
    expect(claims.auth_time).not.toBe(1_700_000_000);
  });

  it('a denial after an approval stands', async () => {
    const server = make(given);
    const first = (await ask(server)).body.auth_req_id;
    await server.approve(first);
    const second = (await hint(server, (await poll(server, first)).body.id_token)).body.auth_req_id;
    await server.deny(second);
    expect((await poll(server, second)).body.error).toBe('access_denied');
  });
});

onEveryStore('somebody unknown, and somebody who is disabled', (make) => {
  /** Bob is known to every hint, and has no account that may be used. */
  const disabled = {
    config: {
      ...given.config,
      findAccount: (ctx: unknown, id: string) =>
        Promise.resolve(id === 'bob' ? undefined : findAccount(ctx, id)),
    },
  };
  const seen = ({ status, body, headers }: Awaited<ReturnType<typeof ask>>) => ({
    status,
    body,
    headers: Object.keys(headers),
  });

  it('read the same by a login_hint [HINT-2] [HINT-14]', async () => {
    const server = make(disabled);
    const [unknown, off] = [
      await ask(server, { login_hint: 'mallory' }),
      await ask(server, { login_hint: 'bob' }),
    ];
    expect(unknown.body.error).toBe('unknown_user_id');
    expect(seen(off)).toEqual(seen(unknown));
  });

  it('read the same by an id_token_hint [HINT-2] [HINT-14]', async () => {
    const server = make(disabled);
    const [unknown, off] = await Promise.all(
      ['mallory', 'bob'].map(async (sub) => hint(server, await idToken({ claims: { sub } }))),
    );
    expect(unknown?.body.error).toBe('unknown_user_id');
    expect(off && seen(off)).toEqual(unknown && seen(unknown));
  });

  it('read the same for a client that sends user codes, whatever the code [HINT-14]', async () => {
    const server = make(disabled);
    const answers = await Promise.all(
      ['mallory', 'bob'].flatMap((login_hint) =>
        ['1234', '4321', undefined].map((user_code) =>
          ask(server, { login_hint, user_code }, { client: 'coder' }),
        ),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(seen(answer))))).toHaveProperty('size', 1);
  });

  it('are asked nothing, and nobody is asked for them [HINT-1]', async () => {
    const server = make(disabled);
    await expectRefused(server, () => ask(server, { login_hint: 'bob' }), { error: 'unknown_user_id' });
    await expectRefused(server, () => ask(server, { login_hint: 'mallory' }), { error: 'unknown_user_id' });
    expect((await ask(server, { login_hint: 'alice' })).status).toBe(200);
    expect((await server.ciba.requests.list('alice')).length).toBe(1);
  });
});

onEveryStore('an id_token_hint with a pairwise subject', (make) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** A pairwise client's sector is the host of its keys. */
  const shop = (id: string, sector: string): ClientMetadata =>
    pollClient(id, {
      client_secret: undefined,
      subject_type: 'pairwise',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: `https://${sector}/jwks`,
    });
  const pairwise = (sector: string, accountId: string): string =>
    createHash('sha256').update(`${sector} ${accountId}`).digest('base64url');
  const options = {
    config: {
      ...given.config,
      clients: [
        shop('shop', 'shop.example'),
        shop('shop-app', 'shop.example'),
        shop('rival', 'rival.example'),
      ],
      subjectTypes: ['public' as const, 'pairwise' as const],
      pairwiseIdentifier: async (_ctx: unknown, accountId: string, client: Client) =>
        pairwise(String(client.sectorIdentifier), accountId),
      fetch: async () => Response.json({ keys: [{ ...(await exportJWK(publicKey)), kid: 'shop-key' }] }),
    },
    ciba: {
      verifyUserCode: undefined,
      resolvePairwiseSubject: (subject: string, client: ClientMetadata) =>
        ['alice', 'bob'].find(
          (accountId) => pairwise(new URL(String(client.jwks_uri)).host, accountId) === subject,
        ),
      resolveLoginHint: accountOf,
    },
  };
  const as = async (clientId: string, server: PluginServer, path: string, params: Record<string, string>) =>
    request(server.app)
      .post(path)
      .type('form')
      .send(
        formOf({
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await new SignJWT({ jti: randomUUID() })
            .setProtectedHeader({ alg: 'ES256', kid: 'shop-key' })
            .setIssuer(clientId)
            .setSubject(clientId)
            .setAudience(ISSUER)
            .setIssuedAt()
            .setExpirationTime('1m')
            .sign(privateKey),
          ...params,
        }),
      );
  const hinted = (clientId: string, server: PluginServer, token: string) =>
    as(clientId, server, BACKCHANNEL, { scope: 'openid', id_token_hint: token });
  const subject = (sub: string, aud = 'shop') => idToken({ claims: { sub, aud } });

  it.each(['alice', 'bob'])(
    'of its own sector names the right person: %s [HINT-11] [PRIV-1] [PRIV-2] [HINT-12]',
    async (who) => {
      const server = make(options);
      const first = await as('shop', server, BACKCHANNEL, { scope: 'openid', login_hint: who });
      await server.approve(first.body.auth_req_id);
      const { body } = await as('shop', server, '/token', {
        grant_type: 'urn:openid:params:grant-type:ciba',
        auth_req_id: first.body.auth_req_id,
      });
      const answer = await hinted('shop', server, body.id_token);
      expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 200, error: undefined });
      expect((await server.ciba.requests.list(who)).length).toBe(1);
      expect(await server.ciba.requests.list(who === 'alice' ? 'bob' : 'alice')).toEqual([]);
    },
  );

  it('of another sector names nobody, though it is this client’s [HINT-11]', async () => {
    const server = make(options);
    const token = await subject(pairwise('rival.example', 'alice'));
    await expectRefused(server, () => hinted('shop', server, token), { error: 'unknown_user_id' });
  });

  it('that is an account id is not taken for one [HINT-12]', async () => {
    const server = make(options);
    const token = await subject('alice');
    await expectRefused(server, () => hinted('shop', server, token), { error: 'unknown_user_id' });
  });

  it('of another client is refused, of the same sector or of another [HINT-7] [HINT-11]', async () => {
    const server = make(options);
    for (const [aud, sector] of [
      ['shop-app', 'shop.example'],
      ['rival', 'rival.example'],
    ] as const) {
      const token = await subject(pairwise(sector, 'alice'), aud);
      await expectRefused(server, () => hinted('shop', server, token), { error: 'invalid_request' });
    }
  });

  it('names nobody where the server cannot map it back [HINT-12]', async () => {
    const server = make({ ...options, ciba: { ...options.ciba, resolvePairwiseSubject: undefined } });
    const token = await subject(pairwise('shop.example', 'alice'));
    await expectRefused(server, () => hinted('shop', server, token), { error: 'unknown_user_id' });
  });
});
