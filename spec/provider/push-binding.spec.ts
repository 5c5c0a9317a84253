import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import { calculateJwkThumbprint, exportJWK, type JWTPayload, SignJWT } from 'jose';
import type { ClientMetadata, KoaContextWithOIDC } from 'oidc-provider';
import type { Response } from 'supertest';
import { expectRefused } from '../support/refusal.js';
import { ask, BACKCHANNEL, ISSUER, introspect } from '../support/server.js';
import { type PushServer, pushServer } from './push-server.js';

const open: PushServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});
const serve = (features: object, client: Partial<ClientMetadata> = {}): PushServer => {
  const ciba = { delivery: { allowLoopback: true } };
  const server = pushServer({ features: features as never, client, ciba });
  open.push(server);
  return server;
};

const asPusher = (server: PushServer, headers: Record<string, string> = {}): Promise<Response> =>
  ask(server, { client_notification_token: 'the-token-of-the-client' }, { client: 'pusher', headers });

/** Asks with these headers, approves, and gives what the tokens that are pushed are bound to. */
async function boundTokens(
  features: object,
  headers: Record<string, string>,
  client: Partial<ClientMetadata> = {},
): Promise<{ readonly type: unknown; readonly cnf: unknown }> {
  const endpoint = await listening();
  const server = serve(features, { ...client, backchannel_client_notification_endpoint: endpoint.url });
  const { status, body } = await asPusher(server, headers);
  expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
  await server.approve(body.auth_req_id);
  const tokens = await endpoint.received;
  const { cnf, token_type: introspected } = await introspect(server, tokens.access_token);
  expect(introspected).toBe(tokens.token_type);
  return { type: tokens.token_type, cnf };
}

interface Pushed {
  readonly access_token: string;
  readonly token_type: string;
}

const listeners: Server[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
});

/** The client's notification endpoint, which waits for one push. */
async function listening(): Promise<{ readonly url: string; readonly received: Promise<Pushed> }> {
  const listener = createServer();
  listeners.push(listener);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const received = once(listener, 'request').then(async ([request, response]) => {
    const body = await json(request);
    response.writeHead(204).end();
    return body as Pushed;
  });
  const { port } = listener.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/cb`, received };
}

describe('tokens bound to a certificate', () => {
  const certificate = Buffer.from('the certificate of the client');
  const features = {
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx: KoaContextWithOIDC) => ctx.get('x-certificate') || undefined,
    },
  };
  const bound = { tls_client_certificate_bound_access_tokens: true };

  it('are bound to the one that came with the request [PUSH-9, MTLS-6, SEC-8]', async () => {
    const headers = { 'x-certificate': certificate.toString('base64') };
    expect(await boundTokens(features, headers, bound)).toEqual({
      type: 'Bearer',
      cnf: { 'x5t#S256': createHash('sha256').update(certificate).digest('base64url') },
    });
  });

  it('cannot be asked for without one [MTLS-4]', async () => {
    const server = serve(features, bound);
    await expectRefused(server, () => asPusher(server), { error: 'invalid_request' });
  });

  it('are for clients that are registered so', async () => {
    const headers = { 'x-certificate': certificate.toString('base64') };
    const { cnf } = await boundTokens(features, headers);
    expect(cnf).toBeUndefined();
  });

  it('are not bound to a DPoP key besides', async () => {
    const server = serve(features, bound);
    const headers = { 'x-certificate': certificate.toString('base64'), dpop: await proof() };
    await expectRefused(server, () => asPusher(server, headers), { error: 'invalid_request' });
  });

  it('are not issued without where the server does not say how a certificate is found [MTLS-6]', async () => {
    const mTLS = { enabled: true, certificateBoundAccessTokens: true };
    const server = serve({ mTLS }, bound);
    server.provider.silent = true;
    expect((await asPusher(server)).status).toBe(500);
    expect(await server.ciba.requests.list('alice')).toEqual([]);
  });
});

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface Proof {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: object;
  readonly key?: KeyObject | Uint8Array;
}

async function proof({ claims = {}, header = {}, key = privateKey }: Proof = {}): Promise<string> {
  return new SignJWT({
    htm: 'POST',
    htu: `${ISSUER}${BACKCHANNEL}`,
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey), ...header })
    .sign(key);
}

describe('tokens bound to a DPoP key', () => {
  const features = { dPoP: { enabled: true } };
  const now = () => Math.floor(Date.now() / 1000);

  it('are bound to the one that the request was proven with [PUSH-9, DPOP-7, SEC-8]', async () => {
    expect(await boundTokens(features, { dpop: await proof() })).toEqual({
      type: 'DPoP',
      cnf: { jkt: await calculateJwkThumbprint(await exportJWK(publicKey)) },
    });
  });

  it.each([
    ['with a query and a fragment', `${ISSUER}${BACKCHANNEL}?a=b#c`],
    ['with the port that goes without saying', `http://OP.example:80${BACKCHANNEL}`],
  ])('are bound with an address %s [DPOP-3]', async (_what, htu) => {
    const server = serve(features);
    expect((await asPusher(server, { dpop: await proof({ claims: { htu } }) })).status).toBe(200);
  });

  it('may be named by dpop_jkt besides, and not by it alone [DPOP-8]', async () => {
    const server = serve(features);
    const thumbprint = await calculateJwkThumbprint(await exportJWK(publicKey));
    const naming = (dpop_jkt: string, headers: Record<string, string> = {}): Promise<Response> =>
      ask(
        server,
        { client_notification_token: 'the-token-of-the-client', dpop_jkt },
        { client: 'pusher', headers },
      );
    expect((await naming(thumbprint, { dpop: await proof() })).status).toBe(200);
    await expectRefused(server, () => naming(thumbprint), { error: 'invalid_request' });
    const dpop = await proof();
    await expectRefused(server, () => naming('A'.repeat(43), { dpop }), { error: 'invalid_request' });
  });

  const table: readonly (readonly [string, Proof | (() => Promise<string>)])[] = [
    ['of another type', { header: { typ: 'JWT' } }],
    ['of another method', { claims: { htm: 'GET' } }],
    ['of another address', { claims: { htu: `${ISSUER}/token` } }],
    ['of no address', { claims: { htu: 'backchannel' } }],
    ['that is too old', { claims: { iat: now() - 301 } }],
    ['from the future', { claims: { iat: now() + 3_600 } }],
    ['of a time that is no number of seconds', { claims: { iat: 1.5 } }],
    ['of an address with a user', { claims: { htu: `http://me@op.example${BACKCHANNEL}` } }],
    ['without a time', { claims: { iat: undefined } }],
    ['without a name', { claims: { jti: undefined } }],
    ['with a nonce that nobody gave', { claims: { nonce: 'guessed' } }],
    [
      'with a symmetric algorithm',
      {
        header: { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } },
        key: Buffer.from('a secret of 32 bytes, of any kind'),
      },
    ],
    [
      'with an algorithm that the server does not list',
      async () => {
        const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
        return proof({ header: { alg: 'RS256', jwk: await exportJWK(rsa.publicKey) }, key: rsa.privateKey });
      },
    ],
    ['with a private key in it', async () => proof({ header: { jwk: await exportJWK(privateKey) } })],
    ['without a key in it', { header: { jwk: undefined } }],
    ['signed with another key', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['that is two', async () => `${await proof()}, ${await proof()}`],
    ['that is none', async () => 'none'],
  ];

  it.each(table)('are refused for a proof %s [DPOP-2, DPOP-10]', async (_what, made) => {
    const server = serve(features);
    const dpop = typeof made === 'function' ? await made() : await proof(made);
    await expectRefused(server, () => asPusher(server, { dpop }), { error: 'invalid_dpop_proof' });
  });

  it('are refused for a proof that was used before [DPOP-2, DPOP-10]', async () => {
    const server = serve(features);
    const dpop = await proof();
    expect((await asPusher(server, { dpop })).status).toBe(200);
    await expectRefused(server, () => asPusher(server, { dpop }), { error: 'invalid_dpop_proof' });
  });

  it('may be proven twice where the server allows it', async () => {
    const server = serve({ dPoP: { enabled: true, allowReplay: true } });
    const dpop = await proof();
    for (let times = 0; times < 2; times++) expect((await asPusher(server, { dpop })).status).toBe(200);
  });

  it('cannot be asked for without a proof [DPOP-6]', async () => {
    const server = serve(features, { dpop_bound_access_tokens: true });
    await expectRefused(server, () => asPusher(server), { error: 'invalid_request' });
  });

  it('are not there where DPoP is off', async () => {
    const server = serve({ dPoP: { enabled: false } });
    expect((await asPusher(server, { dpop: 'none' })).status).toBe(200);
  });
});

describe('a nonce for DPoP proofs', () => {
  const nonceSecret = Buffer.alloc(32, 7);
  const features = { dPoP: { enabled: true, nonceSecret, requireNonce: () => true } };
  const challenge = async (server: PushServer, claims: JWTPayload = {}): Promise<string> => {
    const dpop = await proof({ claims });
    const refused = await expectRefused(server, () => asPusher(server, { dpop }), {
      error: 'use_dpop_nonce',
    });
    return String(refused.headers['dpop-nonce']);
  };

  it('is given to a client that has none, which then is accepted [DPOP-4]', async () => {
    const server = serve(features);
    const nonce = await challenge(server);
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const answer = await asPusher(server, { dpop: await proof({ claims: { nonce } }) });
    expect(answer.status).toBe(200);
    expect(answer.headers).not.toHaveProperty('dpop-nonce');
  });

  it('is text [DPOP-4]', async () => {
    const server = serve(features);
    const nonce = await challenge(server);
    await challenge(server, { nonce: [nonce] });
  });

  it('and a time that is far away are not remembered for so long [DPOP-10]', async () => {
    const server = serve(features);
    const nonce = await challenge(server);
    const { ReplayDetection } = server.provider;
    const unique = jest.spyOn(ReplayDetection, 'unique');
    const dpop = await proof({ claims: { nonce, iat: 4_000_000_000 } });
    expect((await asPusher(server, { dpop })).status).toBe(200);
    const until = Number(unique.mock.calls[0]?.[2]);
    expect(until - Date.now() / 1000).toBeLessThanOrEqual(301);
  });

  it('stands for the clock of a client whose own is wrong [DPOP-4]', async () => {
    const server = serve(features);
    const nonce = await challenge(server);
    const dpop = await proof({ claims: { nonce, iat: 1_000_000_000 } });
    expect((await asPusher(server, { dpop })).status).toBe(200);
  });

  it('is known to every process with the secret, and to no other [DPOP-4]', async () => {
    const [one, same] = [serve(features), serve(features)];
    const nonce = await challenge(one);
    expect((await asPusher(same, { dpop: await proof({ claims: { nonce } }) })).status).toBe(200);
    const other = serve({ dPoP: { ...features.dPoP, nonceSecret: Buffer.alloc(32, 8) } });
    await challenge(other, { nonce });
  });

  it('lasts for some minutes [DPOP-4]', async () => {
    const server = serve(features);
    const clock = Date.now;
    const nonce = await challenge(server);
    const errorIn = async (minutes: number): Promise<unknown> => {
      Date.now = () => clock() + minutes * 60_000;
      try {
        const dpop = await proof({ claims: { nonce } });
        return (await asPusher(server, { dpop })).body.error;
      } finally {
        Date.now = clock;
      }
    };
    expect(await errorIn(3)).toBeUndefined();
    expect(await errorIn(6)).toBe('use_dpop_nonce');
  });

  it('cannot be required without a secret: that is the fault of the server', async () => {
    const server = serve({ dPoP: { enabled: true, requireNonce: () => true } });
    const { status, body } = await asPusher(server, { dpop: await proof() });
    expect({ status, error: body.error }).toEqual({ status: 500, error: 'server_error' });
  });
});
