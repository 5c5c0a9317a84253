import express, { type Express } from 'express';
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { type Ciba, createCiba } from 'oidc-provider-ciba';
import { resolveLoginHint } from './accounts.js';
import { Blocked } from './blocked.js';
import { feedChain } from './chain-feed.js';
import { type Till, tills } from './clients.js';
import { demoRoutes } from './demo.js';
import { answerError, pages } from './http.js';
import { freshKeys, sharedKeys } from './keys.js';
import { MAILBOX_PATH, Mailbox, noMailbox } from './mailbox.js';
import { PasskeyChallenge } from './passkey-challenge.js';
import { passkeyRoutes } from './passkey-routes.js';
import { Passkeys } from './passkeys.js';
import { paymentsApi } from './payments-api.js';
import { phoneRoutes } from './phone.js';
import { PASSKEY_ACR, PhoneSession } from './phone-session.js';
import { providerConfig } from './provider-config.js';
import { QUEUE_PATH, queueBoard } from './queue-board.js';
import { reaching } from './reaching.js';
import { redisAdapter } from './redis-adapter.js';
import { type Env, isCalledHere, type Settings, settingsOf } from './settings.js';
import { signedInOrSent } from './sign-in.js';
import { storageIn } from './storage.js';
import { Subscriptions } from './subscriptions.js';
import { tillRoutes } from './till.js';
import { TillClient } from './till-client.js';
import { tutorial } from './tutorial.js';
import { watching } from './watching.js';

/** The example, ready to be listened with. */
export interface Example {
  readonly app: Express;
  readonly ciba: Ciba;
  readonly provider: Provider;
  readonly issuer: string;
  readonly callbacks: Settings['callbacks'];
  /** Where the queue of deliveries can be looked at: not on memory, and not in production. */
  readonly queue: string | undefined;
  /** Where people's mail can be read: not in production. */
  readonly mailbox: string | undefined;
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
  const [secret] = keys.cookies;
  const session = new PhoneSession(secret, secure);
  const storage = storageIn(redis);
  const subscriptions = new Subscriptions(storage);
  const passkeys = new Passkeys(storage);
  const mailbox = settings.production ? undefined : new Mailbox();
  const stopping = new AbortController();
  const dialect = tutorial(settings);

  const ciba = createCiba({
    redis,
    resolveLoginHint,
    interval: settings.interval,
    maxExpiry: 3600,
    compat: dialect?.compat,
    verifyUserCode: dialect?.verifyUserCode,
    delivery: { allowLoopback: isCalledHere(settings) },
    limits: settings.limits ? undefined : false,
    authenticateDecision: (req) => session.read(req),
    ...reaching({ subscriptions, vapid: keys.vapid, mailbox, settings }),
    interaction: signedInOrSent(session),
    page: {
      passkeys: {
        of: (accountId) => passkeys.of(accountId),
        used: (accountId, id, counter) => passkeys.used(accountId, id, counter),
        acr: PASSKEY_ACR,
      },
    },
  });
  const provider = new Provider(
    settings.issuer,
    ciba.configure(
      providerConfig(keys, redis && redisAdapter(redis), settings.callbacks, dialect?.clients ?? []),
    ),
  );
  provider.proxy = secure;
  provider.on('server_error', (_ctx, error) => console.error('the provider failed:', error));

  ciba.on('delivery.failed', ({ handle, mode, reason }) =>
    console.error(`the ${mode} about ${handle} was given up: ${reason}`),
  );
  const { callbacks } = settings;
  const board = redis && !settings.production ? queueBoard(redis) : undefined;
  const queue = board && QUEUE_PATH;
  const client = (till: Till): TillClient => new TillClient(settings.issuer, tills[till]);

  const app = express();
  app.disable('x-powered-by');
  app.use(mailbox?.routes(stopping.signal) ?? noMailbox);
  app.use(watching(ciba, settings.production));
  app.use(pages());
  app.use(demoRoutes(ciba, settings.production));
  app.use(
    phoneRoutes({
      ciba,
      session,
      subscriptions,
      passkeys,
      blocked: new Blocked(ciba, storage),
      vapidPublicKey: keys.vapid.publicKey,
      serverStops: stopping.signal,
    }),
  );
  const challenge = new PasskeyChallenge(storage, secret, secure);
  app.use(passkeyRoutes({ passkeys, challenge, session, origin: new URL(settings.issuer).origin }));
  app.use(
    tillRoutes({
      clients: {
        poll: client('poll'),
        ping: client('ping'),
        push: client('push'),
        number: client('number'),
      },
      callbacks,
      queue,
      mailbox: mailbox && MAILBOX_PATH,
      watch: (authReqId, stream) => feedChain(ciba, ciba.requests.handleOf(authReqId), stream),
      serverStops: stopping.signal,
    }),
  );
  if (board) app.use(QUEUE_PATH, board.handler);
  app.use(paymentsApi(provider, storage));
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
    mailbox: mailbox && MAILBOX_PATH,
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
