import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { type Awaited, callbackRoutes } from '../../example-app/callbacks.js';
import type { Mode } from '../../example-app/clients.js';
import { Sale } from '../../example-app/sale.js';
import { TillClient } from '../../example-app/till-client.js';
import { until } from '../support/until.js';

const CLAIM = 'urn:openid:params:jwt:claim:';
const TOKEN = 'a-notification-token-of-this-spec';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
const awaited = new Map<string, Awaited>();
let server: Server;
let issuer: string;
/** How often the token endpoint was asked. */
let fetched = 0;
const sales: Sale[] = [];

beforeAll(async () => {
  const app = express();
  app.get('/.well-known/openid-configuration', (_req, res) => {
    res.json({ issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` });
  });
  app.get('/jwks', async (_req, res) => {
    res.json({ keys: [{ ...(await exportJWK(key.publicKey)), kid: 'one', alg: 'RS256' }] });
  });
  app.post('/token', async (_req, res) => {
    fetched += 1;
    res.json({ access_token: 'fetched-access-token', id_token: await signed({}) });
  });
  app.use(callbackRoutes(awaited));
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(() => {
  fetched = 0;
});

afterEach(() => {
  for (const sale of sales.splice(0)) sale.stop('cancelled');
  awaited.clear();
});

afterAll(() => {
  server.close();
});

describe('who calls', () => {
  test.each([
    ['no token', {}],
    ['an empty token', { authorization: 'Bearer ' }],
    ['another token', { authorization: 'Bearer another' }],
    ['the beginning of the token', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['the token in another scheme', { authorization: `Basic ${TOKEN}` }],
    ['the token of another request', { authorization: 'Bearer of-the-other' }],
  ])('with %s is refused', async (_what, headers) => {
    const told = begin('push', 'one');
    begin('push', 'other', 'of-the-other');
    expect(await call('push', { auth_req_id: 'one', error: 'access_denied' }, headers)).toBe(401);
    expect(told).toEqual([]);
  });

  test.each([
    ['no request', 'push', {}],
    ['an unknown request', 'push', { auth_req_id: 'unknown' }],
    ['something that is no request', 'push', { auth_req_id: ['one'] }],
    ['a request of the other mode', 'ping', { auth_req_id: 'one' }],
  ])('about %s is refused', async (_what, mode, body) => {
    const told = begin('push', 'one');
    expect(await call(mode, body)).toBe(401);
    expect(told).toEqual([]);
  });

  test('with the token is answered 204, and its token is shown to nobody', async () => {
    const told = begin('push', 'one');
    const body = { auth_req_id: 'one', error: 'access_denied', unknown: { to: ['us'] } };
    expect(await call('push', body, { authorization: `bearer ${TOKEN}` })).toBe(204);
    await ended(told);
    expect(told).toMatchObject([
      { event: 'callback', data: { body: { error: 'access_denied' } } },
      { event: 'end', data: { state: 'denied' } },
    ]);
    expect(JSON.stringify(told)).not.toContain(TOKEN);
  });
});

describe('a ping', () => {
  test('makes the till fetch its tokens, once, and not before', async () => {
    const told = begin('ping', 'one');
    expect(fetched).toBe(0);
    const calls = [1, 2, 3].map(() => call('ping', { auth_req_id: 'one' }));
    expect(await Promise.all(calls)).toEqual([204, 204, 204]);
    await ended(told);
    expect(await call('ping', { auth_req_id: 'one' })).toBe(204);
    expect(told.map(({ event }) => event)).toEqual(['callback', 'poll', 'end']);
    expect(told.at(-1)).toMatchObject({ data: { state: 'approved' } });
    expect(fetched).toBe(1);
  });
});

describe('a push', () => {
  const tokens = { access_token: 'pushed-access-token', token_type: 'Bearer' };
  const refreshed = { ...tokens, refresh_token: 'pushed-refresh-token' };
  const bound = { [`${CLAIM}auth_req_id`]: 'one', at_hash: hashOf(tokens.access_token) };
  const rtHash = { [`${CLAIM}rt_hash`]: hashOf(refreshed.refresh_token) };

  test.each([
    ['without a refresh token', tokens, bound],
    ['with a refresh token', refreshed, { ...bound, ...rtHash }],
  ])('%s is believed where its ID Token binds it', async (_what, body, claims) => {
    expect(await pushed({ ...body, id_token: await signed(claims) })).toMatchObject({
      state: 'approved',
      tokens: { access_token: 'pushed-a…', id_token: { payload: { sub: 'alice' } } },
    });
    expect(fetched).toBe(0);
  });

  test('is heard once', async () => {
    const told = begin('push', 'one');
    const body = { auth_req_id: 'one', ...tokens, id_token: await signed(bound) };
    expect(await Promise.all([call('push', body), call('push', body)])).toEqual([204, 204]);
    await ended(told);
    expect(told.map(({ event }) => event)).toEqual(['callback', 'end']);
  });

  test.each<[string, object, JWTPayload]>([
    ['another access token', { ...tokens, access_token: 'anothers' }, bound],
    ['no access token', { token_type: 'Bearer' }, bound],
    ['no at_hash', tokens, { ...bound, at_hash: undefined }],
    ['another refresh token', { ...tokens, refresh_token: 'anothers' }, { ...bound, ...rtHash }],
    ['no rt_hash', refreshed, bound],
    ['another request', tokens, { ...bound, [`${CLAIM}auth_req_id`]: 'other' }],
    ['no request', tokens, { ...bound, [`${CLAIM}auth_req_id`]: undefined }],
    ['another client', tokens, { ...bound, aud: 'till-ping' }],
    ['another issuer', tokens, { ...bound, iss: 'https://op.example' }],
    ['a time that is over', tokens, { ...bound, exp: 1 }],
  ])('is not believed with %s', async (_what, body, claims) => {
    expect(await pushed({ ...body, id_token: await signed(claims) })).toEqual({
      state: 'failed',
      description: 'the ID Token did not stand the check',
    });
  });

  test.each([
    ['another key', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'RS256'],
    ['another algorithm', key.privateKey, 'PS256'],
  ])('is not believed with %s', async (_what, signingKey, alg) => {
    const idToken = await signed(bound, signingKey, alg);
    expect(await pushed({ ...tokens, id_token: idToken })).toMatchObject({ state: 'failed' });
  });

  test.each([
    ['nothing that is signed', undefined],
    ['no signature', `${encoded({ alg: 'none' })}.${encoded({ sub: 'alice', ...bound })}.`],
  ])('is not believed with %s', async (_what, idToken) => {
    expect(await pushed({ ...tokens, id_token: idToken })).toMatchObject({ state: 'failed' });
  });

  async function pushed(body: object): Promise<unknown> {
    const told = begin('push', 'one');
    expect(await call('push', { auth_req_id: 'one', ...body })).toBe(204);
    await ended(told);
    return told.at(-1)?.data;
  }
});

test('a till that nobody calls says so when the time is over', async () => {
  const told = begin('push', 'one', TOKEN, -5);
  await ended(told);
  expect(told).toEqual([{ event: 'end', data: { state: 'untold' } }]);
  expect(fetched).toBe(0);
});

type Told = Parameters<Parameters<Sale['listen']>[0]>[0];

/** Begins a sale, and gives what it tells. */
function begin(mode: Exclude<Mode, 'poll'>, authReqId: string, token = TOKEN, expiresIn = 60): Told[] {
  const client = new TillClient(issuer, { id: 'till-push', secret: 'of-this-spec' });
  const sale = new Sale(client, { mode, authReqId, expiresIn, interval: 1 });
  const told: Told[] = [];
  sale.listen((one) => told.push(one));
  sale.begin();
  sales.push(sale);
  awaited.set(authReqId, { mode, token, hear: (callback) => sale.hear(callback) });
  return told;
}

async function call(
  mode: string,
  body: object,
  headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` },
): Promise<number> {
  const response = await fetch(`${issuer}/demo/callbacks/${mode}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return response.status;
}

const ended = (told: readonly Told[]) => until('the sale ends', () => told.at(-1)?.event === 'end');

/** An ID Token for the till; a claim that is `undefined` is left out. */
function signed(claims: JWTPayload, signingKey: KeyObject = key.privateKey, alg = 'RS256'): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: issuer, aud: 'till-push', sub: 'alice', iat: now, exp: now + 60, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg, kid: 'one' }).sign(signingKey);
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
