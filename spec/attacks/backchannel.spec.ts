import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import request from 'supertest';
import { pollClient } from '../support/configuration.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  basic,
  formOf,
  ISSUER,
  type Params,
  type PluginServerOptions,
  poll,
  post,
} from '../support/server.js';
import { attackSpecs, expectError, type Field } from './attack-specs.js';
import { signingClient } from './signing-client.js';

const hinter = await generateKeyPair('ES256', { extractable: true });
const stranger = await generateKeyPair('ES256');
const HINTS = 'https://hints.example';
const own = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const now = (): number => Math.floor(Date.now() / 1000);

const hinted: PluginServerOptions = {
  ciba: {
    loginHintToken: { issuers: [{ issuer: HINTS, jwks: { keys: [await exportJWK(hinter.publicKey)] } }] },
  },
};
const hintClaims = (more = {}) => ({
  iss: HINTS,
  sub: 'alice',
  aud: ISSUER,
  iat: now(),
  exp: now() + 60,
  jti: randomUUID(),
  ...more,
});
const hintToken = (more = {}, key = hinter.privateKey): Promise<string> =>
  new SignJWT(hintClaims(more)).setProtectedHeader({ alg: 'ES256' }).sign(key);

const pinged = pollClient('pinged', {
  backchannel_token_delivery_mode: 'ping',
  backchannel_client_notification_endpoint: 'https://pinged.example/cb',
});
const telling: PluginServerOptions = {
  config: { clients: [pollClient('till'), pinged] },
  hooks: { deliveryModes: ['poll', 'ping'] },
};

/** Sends each of these forms to a server without anything special, and gets this error. */
const refusing =
  (error: string, ...forms: readonly Params[]) =>
  async ({ make, refused }: Field) => {
    const server = make();
    for (const form of forms) await refused(server, () => ask(server, form), error);
  };

attackSpecs('Backchannel request', {
  async A01({ make, refused }) {
    const server = make();
    for (const method of ['get', 'put', 'delete', 'patch'] as const) {
      const send = async () => request(server.app)[method](BACKCHANNEL).set('authorization', basic('till'));
      const answer = await refused(server, send, { status: 405, error: 'invalid_request' });
      expect(answer.headers['allow']).toBe('POST');
    }
  },
  async A02({ make, refused }) {
    const server = make();
    const open = () => request(server.app).post(BACKCHANNEL).set('authorization', basic('till'));
    const form = { scope: 'openid', login_hint: 'alice' };
    await refused(server, async () => open().send(form), 'invalid_request');
    await refused(server, async () => open().field(form), 'invalid_request');
  },
  A03: refusing('invalid_request', { login_hint: undefined }, { login_hint: '' }),
  A04: refusing(
    'invalid_request',
    { login_hint_token: 'a.b.c' },
    { id_token_hint: 'a.b.c' },
    { login_hint_token: 'a.b.c', id_token_hint: 'a.b.c' },
  ),
  async A05({ make, refused }) {
    const server = make();
    for (const form of [{ scope: ['openid', 'openid'] }, { login_hint: ['alice', 'bob'] }]) {
      await refused(server, () => ask(server, form), 'invalid_request');
    }
    const id = await asked(server);
    expectError(await poll(server, id, { auth_req_id: [id, id] }), 'invalid_request');
  },
  async A06({ make, refused }) {
    const server = make();
    const query = formOf({ scope: 'openid', login_hint: 'alice' });
    await refused(server, () => post(server, `${BACKCHANNEL}?${query}`, {}), 'invalid_request');
    await refused(
      server,
      () => post(server, `${BACKCHANNEL}?login_hint=alice`, { scope: 'openid' }),
      'invalid_request',
    );
  },
  async A07({ make, refused }) {
    const server = make();
    for (const scope of [undefined, 'profile', 'OPENID']) {
      await refused(server, () => ask(server, { scope }), 'invalid_request');
    }
    await refused(server, () => ask(server, { scope: 'openid "x"' }), 'invalid_scope');
    await asked(server, { scope: 'openid nobody-knows-it' });
    expect((await server.ciba.requests.list('alice'))[0]?.scope).toBe('openid');
  },
  async A08({ make, refused }) {
    const open = make();
    await refused(open, () => ask(open, { login_hint: 'mallory' }), 'unknown_user_id');
    const hiding = make({ ciba: { hideUnknownUsers: true } });
    const [known, unknown] = [await ask(hiding), await ask(hiding, { login_hint: 'mallory' })];
    expect(unknown.status).toBe(200);
    expect(Object.keys(unknown.body)).toEqual(Object.keys(known.body));
    hiding.advance(301);
    expectError(await poll(hiding, unknown.body.auth_req_id), 'expired_token');
  },
  async A09({ make, refused }) {
    const server = make(hinted);
    const good = await hintToken();
    const wrong = [
      'x',
      '..',
      'a.b.c',
      good.slice(0, -4),
      new UnsecuredJWT(hintClaims()).encode(),
      await hintToken({}, stranger.privateKey),
      await hintToken({ iss: 'https://evil.example' }, stranger.privateKey),
    ];
    for (const token of wrong) {
      const send = () => ask(server, { login_hint: undefined, login_hint_token: token });
      await refused(server, send, 'invalid_request');
    }
    expect((await ask(server, { login_hint: undefined, login_hint_token: good })).status).toBe(200);
  },
  async A10({ make, refused }) {
    const server = make(hinted);
    const token = await hintToken({ iat: now() - 120, exp: now() - 60 });
    const send = () => ask(server, { login_hint: undefined, login_hint_token: token });
    await refused(server, send, 'expired_login_hint_token');
  },
  async A11({ make, refused }) {
    const jwk = { ...own.export({ format: 'jwk' }), kid: 'own', use: 'sig', alg: 'RS256' };
    const server = make({ config: { jwks: { keys: [jwk as never] } } });
    const hint = (aud: unknown, key: Parameters<SignJWT['sign']>[0] = own) =>
      new SignJWT({ iss: ISSUER, sub: 'alice', aud: aud as string, iat: now(), exp: now() + 60 })
        .setProtectedHeader({ alg: 'RS256', kid: 'own' })
        .sign(key);
    const good = await hint('till');
    const forger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const wrong = [await hint('kiosk'), await hint([7, {}]), await hint('till', forger), good.slice(0, -6)];
    for (const token of wrong) {
      await refused(
        server,
        () => ask(server, { login_hint: undefined, id_token_hint: token }),
        'invalid_request',
      );
    }
    expect((await ask(server, { login_hint: undefined, id_token_hint: good })).status).toBe(200);
  },
  A12: refusing(
    'invalid_request',
    ...['0', '-1', '1.5', 'NaN', '1e2', '0x10', ' 5 ', '+5', '9007199254740993'].map((text) => ({
      requested_expiry: text,
    })),
  ),
  async A13({ make }) {
    const server = make();
    expect((await ask(server, { requested_expiry: '99999999' })).body.expires_in).toBe(600);
  },
  async A14({ make }) {
    const signer = await signingClient();
    const server = make(signer.options);
    for (const expiry of [30, '30']) {
      expect((await signer.ask(server, { requested_expiry: expiry })).body.expires_in).toBe(30);
    }
  },
  async A15({ make, refused }) {
    const server = make(telling);
    await refused(server, () => ask(server, {}, { client: 'pinged' }), 'invalid_request');
  },
  async A16({ make, refused }) {
    const server = make(telling);
    for (const token of ['x'.repeat(1025), 'with space', 'a\r\nx-injected: b', 'ünïcode', 'a"b', 'a\0']) {
      const send = () => ask(server, { client_notification_token: token }, { client: 'pinged' });
      await refused(server, send, 'invalid_request');
    }
  },
  async A17({ make }) {
    const answer = await ask(make(telling), { client_notification_token: 'a' }, { client: 'pinged' });
    expect(answer.status).toBe(200);
  },
  async A18({ make, redis }) {
    const server = make(telling);
    const id = await asked(server, { client_notification_token: 'never-stored-token' });
    expect(await server.ciba.deliveries.get(server.ciba.requests.handleOf(id))).toBe(undefined);
    const client = redis()?.client();
    for (const key of (await client?.keys(`${server.prefix}:{*`)) ?? []) {
      expect(JSON.stringify(await client?.hgetall(key))).not.toContain('never-stored-token');
    }
    const model = await server.provider.BackchannelAuthenticationRequest.find(id);
    expect(JSON.stringify(model)).not.toContain('never-stored-token');
  },
  async A19({ make, refused }) {
    const server = make();
    await refused(server, () => ask(server, {}, { client: 'web' }), 'unauthorized_client');
  },
  async A20({ make, refused }) {
    const server = make({ features: { registration: { enabled: true } } });
    const metadata = { ...pollClient('x'), client_id: undefined, client_secret: undefined };
    const registered = await request(server.app)
      .post('/reg')
      .send({ ...metadata, token_endpoint_auth_method: 'none' });
    expect({ status: registered.status, error: registered.body.error }).toEqual({
      status: 400,
      error: 'invalid_client_metadata',
    });
    // One that was stored before the plugin came.
    const stored = { ...pollClient('public'), client_secret: undefined, token_endpoint_auth_method: 'none' };
    await server.store.adapter('Client').upsert('public', stored as never, 3600);
    const form = { client_id: 'public', scope: 'openid', login_hint: 'alice' };
    const send = async () => request(server.app).post(BACKCHANNEL).type('form').send(form);
    await refused(server, send, 'unauthorized_client');
  },
});
