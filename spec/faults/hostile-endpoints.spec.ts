import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pollClient } from '../support/configuration.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { asked, type PluginServer, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';

const HOSTILE = rounds(120, 1_000);
const GOOD = rounds(30, 200);

const TOKEN = 'a-notification-token-of-a-client-0123456789';

/** What a hostile endpoint does with whoever calls it, none of which ends by itself. */
const MISCHIEF: readonly ((req: IncomingMessage, res: ServerResponse) => void)[] = [
  // Nothing.
  () => {},
  // A header that does not end, a byte at a time.
  ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
    every(socket, 200, () => socket.write('.'));
  },
  // A body without an end.
  (_req, res) => {
    res.writeHead(503);
    every(res, 20, () => res.write(Buffer.alloc(16_384)));
  },
  // On to itself.
  ({ url }, res) => res.writeHead(307, { location: String(url) }).end(),
];

function every(end: NodeJS.EventEmitter, milliseconds: number, work: () => void): void {
  const timer = setInterval(work, milliseconds).unref();
  end.once('close', () => clearInterval(timer));
}

let redis: TestRedis;
let receiver: Server;
let server: PluginServer;
/** Calls of hostile endpoints that are kept waiting, and how many calls there were. */
let hanging = 0;
let called = 0;
/** When each good ping was there. */
let arrived: Map<string, number>;

beforeEach(async () => {
  redis = await startRedis();
  [hanging, called, arrived] = [0, 0, new Map()];
  receiver = createServer(async (req, res) => {
    if (req.url === '/good') {
      const { auth_req_id: id } = JSON.parse(await text(req)) as { auth_req_id: string };
      arrived.set(id, performance.now());
      res.writeHead(204).end();
      return;
    }
    called += 1;
    const mischief = Number(req.url?.slice(1)) % MISCHIEF.length;
    // What is redirected has been answered.
    if (mischief < 3) {
      hanging += 1;
      req.socket.once('close', () => {
        hanging -= 1;
      });
    }
    MISCHIEF[mischief]?.(req, res);
  });
  receiver.listen(0, '0.0.0.0');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const pinged = (id: string, endpoint: string) =>
    pollClient(id, {
      backchannel_token_delivery_mode: 'ping',
      backchannel_client_notification_endpoint: endpoint,
    });
  // Each of them is an origin of its own.
  const hostile = Array.from({ length: HOSTILE }, (_, index) =>
    pinged(`hostile-${index}`, `http://127.1.${index >> 8}.${index & 255}:${port}/${index}`),
  );
  server = pluginServer({
    redis: redis.client(),
    config: { clients: [pinged('good', `http://127.0.0.1:${port}/good`), ...hostile] },
    hooks: { deliveryModes: ['ping'] },
    ciba: { limits: false, delivery: { allowLoopback: true } },
  });
});

afterEach(async () => {
  await server?.close();
  receiver?.closeAllConnections();
  receiver?.close();
  await redis?.stop();
});

/** A request of a client's that is approved, and when that began. */
async function decidedFor(client: string): Promise<{ id: string; since: number }> {
  const id = await asked(server, { client_notification_token: TOKEN }, { client });
  const since = performance.now();
  await server.approve(id);
  return { id, since };
}

const percentile = (values: readonly number[], part: number): number =>
  [...values].sort((one, other) => one - other)[Math.ceil(values.length * part) - 1] ?? Number.NaN;

test(`${HOSTILE} endpoints that hang, drip, flood and redirect: a good client is told meanwhile, at the first attempt [PING-1]`, async () => {
  for (let from = 0; from < HOSTILE; from += 20) {
    const some = Array.from(
      { length: Math.min(20, HOSTILE - from) },
      (_, index) => `hostile-${from + index}`,
    );
    await Promise.all(some.map(decidedFor));
  }
  await until('each was called', () => called >= HOSTILE);
  const memory = process.memoryUsage().rss;
  const waits: number[] = [];
  for (let round = 0; round < GOOD; round += 1) {
    const { id, since } = await decidedFor('good');
    await until('the good client is told', () => arrived.has(id));
    waits.push((arrived.get(id) ?? Number.NaN) - since);
    expect(hanging).toBeGreaterThan(0);
    const delivery = () => server.ciba.deliveries.get(server.ciba.requests.handleOf(id));
    await until('that is noted', async () => (await delivery())?.state === 'delivered');
    expect(await delivery()).toMatchObject({ attempts: 1 });
  }
  const grown = (process.memoryUsage().rss - memory) / 2 ** 20;
  expect(grown).toBeLessThan(50);
  const [middle, late, last] = [0.5, 0.99, 1].map((part) => Math.round(percentile(waits, part)));
  process.stdout.write(
    `${HOSTILE} hostile endpoints, called ${called} times: ${GOOD} good pings after ${middle} ms (median), ${late} ms (p99), ${last} ms at most; ${grown.toFixed(1)} MB more\n`,
  );
}, 600_000);
