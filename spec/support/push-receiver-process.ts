/**
 * A push client as a process of its own, which shares nothing with the server but HTTP. At /ask the spec says whom to ask, at
 * /pushes it hears what came. Each push is checked as CIBA Core 10.3.1.1 wants it of a client, with hashes written from OpenID
 * Connect Core 3.1.3.6, and is answered 204, or 400 with what is wrong.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, jwtVerify } from 'jose';

/** Whom to ask, and as which client. */
export interface Order {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** What the client is registered for: `id_token_signed_response_alg`. */
  readonly algorithm: string;
}

/** A push, and why it was refused if it was. */
export interface Push {
  readonly authorization: string | undefined;
  readonly body: string;
  readonly refusal: string | undefined;
}

interface Transaction extends Order {
  readonly token: string;
  readonly jwksUri: string;
}

const CLAIM = 'urn:openid:params:jwt:claim:';
const transactions = new Map<string, Transaction>();
const pushes: Push[] = [];

async function ask(order: Order): Promise<string> {
  const { issuer, clientId, scope } = order;
  const discovery = await json(await fetch(`${issuer}/.well-known/openid-configuration`));
  if (discovery['issuer'] !== issuer) throw new Error('the discovery document is of another issuer');
  const token = randomBytes(24).toString('base64url');
  const response = await fetch(String(discovery['backchannel_authentication_endpoint']), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientId}-secret`).toString('base64')}` },
    body: new URLSearchParams({ scope, login_hint: 'alice', client_notification_token: token }),
  });
  const authReqId = String((await json(response))['auth_req_id']);
  transactions.set(authReqId, { ...order, token, jwksUri: String(discovery['jwks_uri']) });
  return authReqId;
}

async function refusalOf(authorization: string | undefined, body: string): Promise<string | undefined> {
  const pushed = JSON.parse(body) as Record<string, string | undefined>;
  const transaction = transactions.get(String(pushed['auth_req_id']));
  if (!transaction) return 'auth_req_id';
  if (authorization !== `Bearer ${transaction.token}`) return 'bearer token';
  const claims = await claimsOf(String(pushed['id_token']), transaction);
  if (!claims) return 'id_token';
  const { algorithm } = transaction;
  const expected: Record<string, string | undefined> = {
    at_hash: leftHalf(pushed['access_token'], algorithm),
    [`${CLAIM}rt_hash`]: leftHalf(pushed['refresh_token'], algorithm),
    [`${CLAIM}auth_req_id`]: pushed['auth_req_id'],
  };
  return Object.keys(expected).find((claim) => claims[claim] !== expected[claim]);
}

async function claimsOf(
  idToken: string,
  { issuer, clientId, algorithm, jwksUri }: Transaction,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const rules = { issuer, audience: clientId, algorithms: [algorithm] };
  const verified = await jwtVerify(idToken, createRemoteJWKSet(new URL(jwksUri)), rules).catch(
    () => undefined,
  );
  return verified?.payload;
}

/** The left-most half of the hash of the token's ASCII octets, with the hash of the ID Token's `alg`, base64url. */
function leftHalf(token: string | undefined, algorithm: string): string | undefined {
  if (token === undefined) return undefined;
  const hash = createHash(`sha${algorithm.slice(-3)}`)
    .update(token, 'ascii')
    .digest();
  return hash.subarray(0, hash.length / 2).toString('base64url');
}

async function json(response: Response): Promise<Record<string, unknown>> {
  const body = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return body;
}

async function answer(path: string, request: IncomingMessage): Promise<[status: number, body: string]> {
  const body = await text(request);
  if (path === '/ask') return [200, await ask(JSON.parse(body) as Order)];
  if (path === '/pushes') return [200, JSON.stringify(pushes)];
  const { authorization } = request.headers;
  const refusal = await refusalOf(authorization, body);
  pushes.push({ authorization, body, refusal });
  return refusal === undefined ? [204, ''] : [400, refusal];
}

const listener = createServer((request, response) => {
  answer(String(request.url), request).then(
    ([status, body]) => response.writeHead(status).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}).listen(0, '127.0.0.1', () => {
  process.send?.((listener.address() as AddressInfo).port);
});
// The spec's process is this one's reason to be.
process.on('disconnect', () => process.exit(0));
