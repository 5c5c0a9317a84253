/**
 * One server process of the fault specs, on the Redis of REDIS_URL. MODE=plain is bare oidc-provider, the control. With RECEIVER it has
 * clients that are pinged and pushed there, with LIMITS the plugin's limits are on, and OTHER_BUILD gives its scripts another text, as
 * another version of the package has. It prompts people over one channel, which rings in Redis.
 *
 * On SIGTERM it ends as docs/operations.md says. Besides the provider it answers to the spec alone: /decide, /clock (moves the store's clock
 * as this process sees it), /crash (the process kills itself at the named point of the next request), /loop (what its event loop has
 * waited since it was asked last, and how many polls it has held), /state (where a request and its delivery stand) and /time (what time it is here).
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import express from 'express';
import { Redis } from 'ioredis';
import Provider, { type AdapterFactory } from 'oidc-provider';
import {
  type Channel,
  type Ciba,
  CibaError,
  type ConfigurationWithCiba,
  createCiba,
} from 'oidc-provider-ciba';
import { redisAdapter } from '../../example-app/redis-adapter.js';
import { scripts } from '../../lib/store/scripts.js';
import { plainServer } from '../races/plain-server.js';
import { raceConfiguration } from '../races/race-configuration.js';
import { tellingConfiguration } from '../races/telling-configuration.js';
import { answersFailures } from '../support/answers-failures.js';
import { scriptNameOf } from '../support/script-name.js';

const { REDIS_URL, MODE, RECEIVER, LIMITS, OTHER_BUILD, OFFSET } = process.env as Record<
  string,
  string | undefined
>;
/** One for all processes, whatever their ports. */
const ISSUER = 'http://127.0.0.1';
let offset = Number(OFFSET ?? 0);
let crashAt: string | undefined;

function pass(point: string): void {
  if (crashAt === undefined) return;
  process.send?.({ point });
  if (point === crashAt) process.kill(process.pid, 'SIGKILL');
}

/** What the process looks for by itself is no step of a request. */
const NOBODYS: ReadonlySet<string> = new Set(['due', 'hello', 'info', 'select', 'client', 'ping', 'script']);

/** Every command, by its name or its script's, on whichever connection. */
const send = Redis.prototype.sendCommand;
Redis.prototype.sendCommand = function sendCommand(command, stream) {
  const step = scriptNameOf(command.args) ?? command.name;
  if (crashAt === undefined || NOBODYS.has(step)) return send.call(this, command, stream);
  pass(`> ${step}`);
  return (send.call(this, command, stream) as Promise<unknown>).then((reply) => {
    pass(`< ${step}`);
    return reply;
  });
};

if (OTHER_BUILD) {
  for (const script of Object.values(scripts) as { lua: string }[]) {
    script.lua += `\n-- build ${OTHER_BUILD}`;
  }
}

const redis = new Redis(String(REDIS_URL));
redis.on('error', () => {});
const adapter: AdapterFactory = redisAdapter(redis);
const races = raceConfiguration(adapter, () => {});
const told = RECEIVER ? (tellingConfiguration(RECEIVER).clients ?? []) : [];
const deliveryModes: readonly ('poll' | 'ping' | 'push')[] = RECEIVER ? ['poll', 'ping', 'push'] : ['poll'];
const config: ConfigurationWithCiba = {
  ...races,
  clients: [...(races.clients ?? []), ...told],
  features: {
    ...races.features,
    ciba: { enabled: true, deliveryModes },
  },
};

/** A device that rings: how often, and for which request, is in Redis, which outlives the process. */
const device: Channel = {
  name: 'device',
  async send({ handle }) {
    pass('> ring');
    await redis.rpush('rung', handle);
    pass('< ring');
  },
  async dismiss() {},
};

type Decide = (authReqId: string, action: string) => Promise<void>;

function pluginServer(): { provider: Provider; ciba: Ciba; decide: Decide } {
  const ciba = createCiba({
    redis,
    limits: LIMITS ? undefined : false,
    channels: LIMITS ? [device] : [],
    resolveLoginHint: (hint) => hint,
    longPolling: {},
    delivery: { allowLoopback: true },
    timeOffset: () => offset,
  });
  return {
    provider: new Provider(ISSUER, ciba.configure(config)),
    ciba,
    async decide(authReqId, action) {
      const handle = ciba.requests.handleOf(authReqId);
      const accountId = (await ciba.requests.get(handle))?.accountId ?? 'nobody';
      if (action === 'allow') await ciba.requests.approve(handle, { accountId });
      else await ciba.requests.deny(handle, { accountId });
    },
  };
}

const served: { provider: Provider; ciba?: Ciba; decide: Decide } =
  MODE === 'plain' ? plainServer(ISSUER, config) : pluginServer();
const { provider, ciba } = served;

const app = express();
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();
let held = 0;
ciba?.on('poll.held', () => {
  held += 1;
});

app.post(
  '/decide',
  answersFailures(async (req, res) => {
    const { auth_req_id: authReqId, action } = req.query;
    try {
      await served.decide(String(authReqId), String(action));
      res.json({ outcome: action === 'allow' ? 'approved' : 'denied' });
    } catch (error) {
      if (!(error instanceof CibaError)) throw error;
      const status = error.code === 'store_unavailable' ? 503 : 409;
      res.status(status).json({ code: error.code, outcome: error.outcome });
    }
  }),
);
app.post('/clock', (req, res) => {
  offset = Number(req.query['offset']);
  res.json({});
});
app.post('/crash', (req, res) => {
  crashAt = String(req.query['at']);
  res.json({});
});
app.post('/loop', (_req, res) => {
  const [p99, max] = [loop.percentile(99) / 1e6, loop.max / 1e6];
  loop.reset();
  res.json({ p99, max, rss: process.memoryUsage.rss(), held });
});
app.post('/time', (_req, res) => {
  res.json({ time: Date.now() });
});
app.post(
  '/state',
  answersFailures(async (req, res) => {
    const handle = ciba?.requests.handleOf(String(req.query['auth_req_id'])) ?? '';
    const [request, delivery] = await Promise.all([ciba?.requests.get(handle), ciba?.deliveries.get(handle)]);
    res.json({ status: request?.status, delivery: delivery?.state });
  }),
);
// A place to die between the work and the answer: what the client would have been told is done.
app.use((_req, res, next) => {
  const end = res.end.bind(res) as (...given: unknown[]) => typeof res;
  res.end = ((...given: unknown[]) => {
    pass('> answer');
    return end(...given);
  }) as never;
  next();
});
if (ciba) app.use(ciba.router(provider));
app.use(provider.callback());

const server = createServer(app).listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
server.keepAliveTimeout = 60_000;

process.on('SIGTERM', async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  await ciba?.close();
  // Kept connections would be waited for, those that are answered only now as well.
  const closing = setInterval(() => server.closeIdleConnections(), 20);
  await closed;
  clearInterval(closing);
  redis.disconnect();
  process.exit(0);
});
process.on('unhandledRejection', (error) => {
  process.send?.({ unhandled: String(error) });
});
// The spec's process is this one's reason to be.
process.on('disconnect', () => process.exit(0));
