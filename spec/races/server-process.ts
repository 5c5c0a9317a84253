/**
 * One server process of the race and crash specs, on the Redis of REDIS_URL. MODE=plugin has the plugin; MODE=plain is bare
 * oidc-provider with a usual Redis adapter for every model, the control that the same specs must see fail. With LIMITS the plugin's limits
 * are on, and people are prompted.
 *
 * Besides the provider it answers to the spec alone: /decide, /prompted (how many prompts people got from it), /clock (moves the store's
 * clock as this process sees it) and /crash (the process kills itself at the named point of its next redemption).
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Redis } from 'ioredis';
import Provider, { type AdapterFactory } from 'oidc-provider';
import { type Channel, type Ciba, CibaError, createCiba } from 'oidc-provider-ciba';
import { redisAdapter } from '../../example-app/redis-adapter.js';
import { answersFailures } from '../support/answers-failures.js';
import { plainServer } from './plain-server.js';
import { raceConfiguration } from './race-configuration.js';

const { REDIS_URL, MODE, LIMITS } = process.env as Record<'REDIS_URL' | 'MODE' | 'LIMITS', string>;
/** One for all processes, whatever their ports. */
const ISSUER = 'http://127.0.0.1';
const redis = new Redis(REDIS_URL);
let offset = 0;
let crashAt: string | undefined;
let prompted = 0;

function crashPoint(name: string): void {
  if (crashAt === name) process.kill(process.pid, 'SIGKILL');
}

/** The usual adapter, with a place to crash after each token that a redemption saves. */
const adapter: AdapterFactory = (name) => {
  const usual = redisAdapter(redis)(name);
  const upsert = usual.upsert.bind(usual);
  usual.upsert = async (...args) => {
    await upsert(...args);
    crashPoint(`${name} saved`);
  };
  return usual;
};

const config = raceConfiguration(adapter, (token) => {
  if (token?.kind === 'BackchannelAuthenticationRequest') crashPoint('claimed');
});

const inbox: Channel = {
  name: 'inbox',
  send: async () => {
    prompted += 1;
  },
};

type Decide = (authReqId: string, action: string) => Promise<void>;

function pluginServer(): { provider: Provider; ciba: Ciba; decide: Decide } {
  const ciba = createCiba({
    redis,
    limits: LIMITS ? undefined : false,
    channels: LIMITS ? [inbox] : [],
    resolveLoginHint: (hint) => hint,
    timeOffset: () => offset,
  });
  const provider = new Provider(ISSUER, ciba.configure(config));
  return {
    provider,
    ciba,
    async decide(authReqId, action) {
      const handle = ciba.requests.handleOf(authReqId);
      if (action === 'allow') await ciba.requests.approve(handle, { accountId: 'alice' });
      else await ciba.requests.deny(handle, { accountId: 'alice' });
    },
  };
}

const server: { provider: Provider; ciba?: Ciba; decide: Decide } =
  MODE === 'plugin' ? pluginServer() : plainServer(ISSUER, config);
const { provider } = server;
const app = express();

app.post(
  '/decide',
  answersFailures(async (req, res) => {
    try {
      await server.decide(String(req.query['auth_req_id']), String(req.query['action']));
      res.status(204).end();
    } catch (error) {
      if (!(error instanceof CibaError)) throw error;
      res.status(409).json({ code: error.code, outcome: error.outcome });
    }
  }),
);
app.get('/prompted', (_req, res) => {
  res.json({ prompted: String(prompted) });
});
app.post('/clock', (req, res) => {
  offset = Number(req.query['offset']);
  res.status(204).end();
});
app.post('/crash', (req, res) => {
  crashAt = String(req.query['at']);
  res.status(204).end();
});

server.ciba?.on('redemption.settled', () => crashPoint('settled'));
if (server.ciba) app.use(server.ciba.router(provider));
// What the server's own middleware does last, it does when the tokens are issued and the plugin has not settled.
provider.use(async (_ctx, next) => {
  await next();
  crashPoint('issued');
});
app.use(provider.callback());

const listener = createServer(app).listen(0, '127.0.0.1', () => {
  process.send?.((listener.address() as AddressInfo).port);
});
listener.keepAliveTimeout = 60_000;
// The spec's process is this one's reason to be.
process.on('disconnect', () => process.exit(0));
