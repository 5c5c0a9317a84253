import express, { type Express } from 'express';
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { type Ciba, createCiba } from 'oidc-provider-ciba';
import { resolveLoginHint } from './accounts.js';
import { type Mode, tills } from './clients.js';
import { demoRoutes } from './demo.js';
import { answerError, pages } from './http.js';
import { freshKeys, sharedKeys } from './keys.js';
import { phoneRoutes } from './phone.js';
import { PhoneSession } from './phone-session.js';
import { providerConfig } from './provider-config.js';
import { QUEUE_PATH, queueBoard } from './queue-board.js';
import { redisAdapter } from './redis-adapter.js';
import { type Env, isCalledHere, type Settings, settingsOf } from './settings.js';
import { tillRoutes } from './till.js';
import { TillClient } from './till-client.js';

/** The example, ready to be listened with. */
export interface Example {
  readonly app: Express;
  readonly ciba: Ciba;
  readonly provider: Provider;
  readonly issuer: string;
  readonly callbacks: Settings['callbacks'];
  /** Where the queue of deliveries can be looked at: not on memory, and not in production. */
  readonly queue: string | undefined;
  /** Ends what never ends by itself: live pages and the till's polls. */
  stop(): void;
  /** Ends everything; call it when no request is under way any more. */
  close(): Promise<void>;
}

/** The identity server with CIBA, a till and a phone, made as the environment says. */
export function createExample(env: Env): Example {
  const settings = settingsOf(env);
  const redis = settings.redisUrl ? connect(settings.redisUrl) : undefined;
  const keys = redis ? sharedKeys() : freshKeys();
  const secure = settings.issuer.startsWith('https:');
  const session = new PhoneSession(keys.cookies[0], secure);
  const stopping = new AbortController();

  const ciba = createCiba({
    redis,
    resolveLoginHint,
    maxExpiry: 3600,
    delivery: { allowLoopback: isCalledHere(settings) },
    pendingPerAccount: settings.limits ? undefined : false,
    authenticateDecision: (req) => session.read(req),
  });
  const provider = new Provider(
    settings.issuer,
    ciba.configure(providerConfig(keys, redis && redisAdapter(redis), settings.callbacks)),
  );
  provider.proxy = secure;
  provider.on('server_error', (_ctx, error) => console.error('the provider failed:', error));

  ciba.on('delivery.failed', ({ handle, mode, reason }) =>
    console.error(`the ${mode} about ${handle} was given up: ${reason}`),
  );
  const { callbacks } = settings;
  const board = redis && !settings.production ? queueBoard(redis) : undefined;
  const queue = board && QUEUE_PATH;
  const client = (mode: Mode): TillClient => new TillClient(settings.issuer, tills[mode]);

  const app = express();
  app.disable('x-powered-by');
  app.use(pages());
  app.use(demoRoutes(ciba, settings.production));
  app.use(phoneRoutes(ciba, session, stopping.signal));
  app.use(
    tillRoutes({
      clients: { poll: client('poll'), ping: client('ping'), push: client('push') },
      callbacks,
      queue,
      withdraw: (authReqId) => ciba.requests.cancel(ciba.requests.handleOf(authReqId)),
      serverStops: stopping.signal,
    }),
  );
  if (board) app.use(QUEUE_PATH, board.handler);
  app.use(ciba.router(provider));
  app.use(provider.callback());
  app.use(answerError);

  return {
    app,
    ciba,
    provider,
    issuer: settings.issuer,
    callbacks,
    queue,
    stop: () => stopping.abort(),
    async close() {
      stopping.abort();
      await board?.close();
      await ciba.close();
      redis?.disconnect();
    },
  };
}

/** A connection that answers or fails within seconds, and says once that Redis is away and once that it is back. */
function connect(url: string): Redis {
  const redis = new Redis(url, {
    connectTimeout: 1_000,
    commandTimeout: 2_000,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
  });
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) console.error(`Redis does not answer: ${error.message}`);
    away = true;
  });
  redis.on('ready', () => {
    if (away) console.log('Redis answers again');
    away = false;
  });
  return redis;
}
