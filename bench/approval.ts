/**
 * How long an approval takes when the client to be told answers at once, and when it hangs: `npm run bench`. Requests are in a Redis
 * server that this starts; the rounds of the two clients alternate, so that the machine's noise meets both alike. The ratio is
 * the figure: the milliseconds are of this machine.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import Provider, { type ClientMetadata } from 'oidc-provider';
import { createCiba } from 'oidc-provider-ciba';
import { startRedis } from '../spec/support/redis-server.js';

const ROUNDS = 300;
const WARM_UP = 30;

async function listen(handler: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

const redis = await startRedis();
const prompt = await listen((_req, res) => res.writeHead(204).end());
const hanging = await listen(() => {});

const secret = 'bench-secret-0123456789abcdef0123456789';
const client = (id: string, endpoint: string): ClientMetadata => ({
  client_id: id,
  client_secret: secret,
  grant_types: ['urn:openid:params:grant-type:ciba'],
  response_types: [],
  redirect_uris: [],
  backchannel_token_delivery_mode: 'ping',
  backchannel_client_notification_endpoint: endpoint,
});
const ciba = createCiba({
  redis: redis.client(),
  limits: false,
  resolveLoginHint: (hint) => hint,
  delivery: { allowLoopback: true },
});
const provider = new Provider(
  'http://127.0.0.1',
  ciba.configure({
    clients: [client('prompt', `${prompt.url}/`), client('hanging', `${hanging.url}/`)],
    findAccount: async (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    cookies: { keys: ['bench'] },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, BackchannelAuthenticationRequest: 300 },
    features: { ciba: { enabled: true, deliveryModes: ['ping'] }, devInteractions: { enabled: false } },
  }),
);
const app = express().use(ciba.router(provider)).use(provider.callback());
const server = await listen(app);

async function approval(clientId: string): Promise<number> {
  const response = await fetch(`${server.url}/backchannel`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: clientId,
      client_secret: secret,
      scope: 'openid',
      login_hint: 'alice',
      client_notification_token: randomBytes(16).toString('hex'),
    }),
  });
  const { auth_req_id: authReqId } = (await response.json()) as { auth_req_id: string };
  const handle = ciba.requests.handleOf(authReqId);
  const began = performance.now();
  await ciba.requests.approve(handle, { accountId: 'alice' });
  return performance.now() - began;
}

const taken: Record<'prompt' | 'hanging', number[]> = { prompt: [], hanging: [] };
for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
  for (const clientId of round % 2 ? (['prompt', 'hanging'] as const) : (['hanging', 'prompt'] as const)) {
    const ms = await approval(clientId);
    if (round >= WARM_UP) taken[clientId].push(ms);
  }
}
const [usual, hung] = [median(taken.prompt), median(taken.hanging)];
console.log(`approval, the client answers at once   ${usual.toFixed(2)} ms (median of ${ROUNDS})`);
console.log(`approval, the client hangs             ${hung.toFixed(2)} ms (median of ${ROUNDS})`);
console.log(`ratio                                  ${(hung / usual).toFixed(2)}`);

hanging.close();
server.close();
await ciba.close();
prompt.close();
await redis.stop();
