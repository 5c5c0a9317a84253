import express, { type Express } from 'express';
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { type Ciba, type CibaOptions, createCiba } from 'oidc-provider-ciba';
import { INTERVAL, ISSUER, LIFETIME } from '../population.js';
import { approving } from './approving.js';
import { configurationOf } from './configuration.js';
import type { Contender, ContenderSpec } from './contender.js';

/** The plugin in the router of an Express app. */
export function plugin(spec: ContenderSpec): Contender {
  const { app, ...contender } = serverWithPlugin(spec);
  return { ...contender, listener: app };
}

/** The same app behind `ciba.accelerate()`. */
export function accelerated(spec: ContenderSpec): Contender {
  const { app, ciba, ...contender } = serverWithPlugin(spec);
  return { ...contender, listener: ciba.accelerate(app) };
}

/** Everything is as it is by default, but for the interval, which all requests of the benchmark share. */
function serverWithPlugin(spec: ContenderSpec): Omit<Contender, 'listener'> & { app: Express; ciba: Ciba } {
  const redis = new Redis(spec.redisPort);
  const options: CibaOptions = {
    redis,
    interval: INTERVAL,
    maxExpiry: LIFETIME,
    resolveLoginHint: (hint) => hint,
    delivery: { allowLoopback: true, worker: spec.worker ?? true },
    ...(spec.longPolling && { longPolling: {} }),
  };
  const ciba = createCiba(options);
  const config = configurationOf(spec, redis);
  const deliveryModes = spec.endpoints ? (['poll', 'ping'] as const) : (['poll'] as const);
  const provider = new Provider(
    ISSUER,
    ciba.configure({
      ...config,
      features: { ...config.features, ciba: { enabled: true, deliveryModes: [...deliveryModes] } },
    }),
  );
  let held = 0;
  ciba.on('poll.held', () => {
    held += 1;
  });
  const app = express();
  app.use(ciba.router(provider));
  app.use(
    approving((authReqId, accountId) =>
      ciba.requests.approve(ciba.requests.handleOf(authReqId), { accountId }),
    ),
  );
  app.use(provider.callback());
  return {
    app,
    ciba,
    held: () => held,
    work: () => {
      ciba.worker(provider);
    },
  };
}
