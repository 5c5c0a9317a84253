import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { Router } from 'express';
import type Provider from 'oidc-provider';
import type { Configuration } from 'oidc-provider';
import { Prompts } from './channels/prompts.js';
import { Deliveries } from './delivery/deliveries.js';
import { Outgoing } from './delivery/outgoing.js';
import type { DeliveryQueue } from './delivery/queue.js';
import { StatusNotifications } from './delivery/status-notifications.js';
import { Emitter } from './emitter.js';
import { CibaError, invalidOption } from './errors.js';
import type { CibaEventName, CibaListener } from './events.js';
import { type Health, healthOf } from './health.js';
import { cibaRouter, type PageParts, type RouterParts } from './http/router.js';
import { TokenGate } from './http/token-gate.js';
import type { CibaOptions } from './options.js';
import { attach } from './provider/attach.js';
import { type ConfigurationWithCiba, type Configured, configure } from './provider/configure.js';
import { grantFor } from './provider/grant.js';
import { checkIssuer } from './provider/issuer.js';
import { KnownCredentials } from './provider/known-credentials.js';
import { HeldPolls } from './request/held-polls.js';
import { Links } from './request/links.js';
import { Polls } from './request/polls.js';
import { type Announced, Requests } from './request/requests.js';
import { Seals } from './request/seals.js';
import { UnderWay } from './request/under-way.js';
import { type Settings, settingsOf } from './settings/settings.js';
import { MemoryStore } from './store/memory.js';
import { FIRST_TURN } from './store/outbox.js';
import { RedisStore } from './store/redis.js';
import type { Store } from './store/store.js';
import { checkDelivery, deliveryOf, type Parts, promptingOf, type Working } from './working.js';

/** A process's part in prompting people and in telling ping and push clients: made by {@link Ciba.worker}. */
export interface CibaWorker {
  /** Finishes what is running and takes no more. What is left is another process's, or the next start's. */
  close(): Promise<void>;
}

/** CIBA for one provider: made by {@link createCiba}. */
export interface Ciba {
  /** Looks at pending requests and decides them. */
  readonly requests: Requests;
  /** Looks at what ping and push clients are told. */
  readonly deliveries: Deliveries;
  /** Looks at how people are reached. */
  readonly prompts: Prompts;
  /**
   * A provider configuration with CIBA in it, made from the server's own, which is not touched. Where `features.ciba.enabled`
   * is not `true` it is the server's own, unchanged.
   * @throws {CibaError} `invalid_option`, naming what is wrong
   */
  configure(config: ConfigurationWithCiba): Configuration;
  /**
   * Ties the plugin to a provider that was made with {@link Ciba.configure}, and gives its Express router: the methods of both
   * protocol endpoints, and the decision endpoints. Mount it where `provider.callback()` is mounted, in front of it, and call it
   * before `provider.callback()`. Where CIBA is not enabled it mounts nothing.
   * @throws {CibaError} `not_attached` where `configure` was not called, or the provider was not made with it
   */
  router(provider: Provider): Router;
  /**
   * Puts the answers to repeated polls in front of the whole server: `http.createServer(ciba.accelerate(app))`. Such a poll passes nothing of
   * the app, neither its middleware nor its log; everything else reaches it untouched. See `rememberCredentials` for what is answered so.
   */
  accelerate(listener: RequestListener): RequestListener;
  /**
   * Prompts people and tells ping and push clients from this process, which need not serve HTTP. The servers do so themselves unless
   * their option `delivery.worker` is `false`. Where there are no channels and neither mode is on, it does nothing.
   * @throws {CibaError} `not_attached` as {@link Ciba.router}
   */
  worker(provider: Provider): CibaWorker;
  /** Listens to an event; the function returned stops that. A listener that throws or rejects harms nobody. */
  on<Name extends CibaEventName>(name: Name, listener: CibaListener<Name>): () => void;
  /**
   * How this process does, for `/health` endpoints: whether the store answers and takes writes, and whether clients and people are told. It
   * takes a second at most and never rejects. Whether the process lives it does not say: that is that it answers.
   */
  health(): Promise<Health>;
  /**
   * Lets held polls go, finishes the provider's answers, the prompts and the deliveries under way, and ends the connections that the plugin opened. The Redis
   * client that was given stays open. On shutdown it is called after `server.close()`, which need not have ended.
   */
  close(): Promise<void>;
}

/**
 * Makes CIBA for one provider.
 *
 * ```ts
 * const ciba = createCiba({ redis, resolveLoginHint: async (hint) => (await users.byEmail(hint))?.id });
 * const provider = new Provider(issuer, ciba.configure({ clients, findAccount, adapter, features: { ciba: { enabled: true } } }));
 * app.use(ciba.router(provider));
 * app.use(provider.callback());
 * ```
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function createCiba(options: CibaOptions = {}): Ciba {
  const settings = settingsOf(options);
  const events = new Emitter();
  const store = storeOf(settings, events);
  let made: { readonly configured: Configured | undefined } | undefined;
  let attached: Attached | undefined;
  let serving = false;
  let closing = false;

  const provider = (): Provider => {
    if (!attached) throw notAttached('call ciba.router(provider) before deciding a request');
    return attached.provider;
  };
  const queue = (): DeliveryQueue | undefined => attached?.delivery?.queue;
  // What is not heard here is found in the store's indices a moment later.
  const announce = ({ handle, told, prompted }: Announced): void => {
    if (told)
      queue()
        ?.add(handle, FIRST_TURN)
        .catch(() => {});
    if (prompted) store.prompts.schedule(handle, 0).catch(() => {});
  };
  const held = settings.longPolling && new HeldPolls(store, settings.longPolling.held);
  const credentials = new KnownCredentials(settings);
  const underWay = new UnderWay();
  const polls = new Polls({ store, events, held, underWay });
  const gate = new TokenGate({ polls, credentials, settings, underWay });
  const { limits } = settings;
  const cooldown = limits.refusals === false ? undefined : limits.cooldown * 1000;
  const requests = new Requests({
    store,
    events,
    grantFor: grantFor(provider),
    cooldown,
    announce,
  });
  if (settings.channels.length > 0) {
    events.on('request.accepted', ({ handle }) => {
      const prompting = attached?.prompting;
      const hasRoom = prompting?.here() === true && prompting.queue.free > 0;
      return hasRoom ? prompting.queue.add(handle, FIRST_TURN) : store.prompts.schedule(handle, 0);
    });
  }

  /** Ties the plugin to a provider once. Nothing where CIBA is not enabled. */
  function attachedTo(given: Provider): Attached | undefined {
    if (!made) throw notAttached('make the provider with ciba.configure(), then call ciba.router(provider)');
    if (!made.configured) return undefined;
    if (attached && attached.provider !== given) {
      throw notAttached('another provider was attached before: make one ciba a provider');
    }
    if (!attached) {
      const { configured } = made;
      const { userCodes } = configured;
      checkIssuer(given.issuer, settings);
      const statusNotifications = notifiesStatus(settings)
        ? new StatusNotifications({ store, events, outgoing: new Outgoing(settings.delivery) })
        : undefined;
      const steps = { store, polls, events, userCodes, settings, statusNotifications };
      const paths = attach(given, configured, requests, steps, underWay);
      const used: RouterParts['used'] = (clientId, what) => events.emit('compat.used', { clientId, what });
      const page = pageOf(given, configured, { store, settings });
      const router = cibaRouter({ paths, requests, settings, page, gate, provider: given, used });
      const parts = { store, events, settings };
      const delivery = deliveryOf(given, configured, parts);
      const prompting = promptingOf(parts, page?.links);
      attached = { provider: given, router, delivery, prompting, statusNotifications };
    }
    return attached;
  }

  return {
    requests,
    deliveries: new Deliveries(store.outbox, queue, events),
    prompts: new Prompts(store.prompts),
    configure(config): Configuration {
      if (made) throw notAttached('ciba.configure() was called before: make one ciba a provider');
      const { config: extended, configured } = configure(config, {
        store,
        events,
        settings,
        polls,
        credentials,
      });
      if (configured) {
        checkDelivery(configured.modes, settings);
        checkSecrets(configured, settings);
      }
      made = { configured };
      return extended;
    },
    router(given) {
      const found = attachedTo(given);
      if (settings.delivery.worker && !serving) for (const { worker } of workingIn(found)) worker.start();
      serving = true;
      return found?.router ?? Router();
    },
    accelerate: (listener) => (settings.rememberCredentials > 0 ? gate.accelerate(listener) : listener),
    worker(given) {
      const parts = workingIn(attachedTo(given));
      for (const { worker } of parts) worker.start();
      let stopped: Promise<unknown> | undefined;
      return {
        async close() {
          stopped ??= Promise.all(parts.map(({ worker }) => worker.stop()));
          await stopped;
        },
      };
    },
    on: (name, listener) => events.on(name, listener),
    health: () =>
      healthOf({
        store,
        held,
        closing: () => closing,
        delivery: attached?.delivery,
        prompting: attached?.prompting,
      }),
    async close() {
      closing = true;
      held?.close();
      await underWay.over(ANSWERED_WITHIN);
      attached?.statusNotifications?.close();
      await Promise.all(workingIn(attached).map((part) => part.close()));
      await store.close();
      events.removeAll();
    },
  };
}

/** What is there once a provider is attached. */
interface Attached {
  readonly provider: Provider;
  readonly router: Router;
  /** Telling ping and push clients, where either mode is on. */
  readonly delivery: Working | undefined;
  /** Prompting people, where there are channels. */
  readonly prompting: Working | undefined;
  /** Telling clients of the dialect where their requests stand. */
  readonly statusNotifications: StatusNotifications | undefined;
}

const workingIn = (attached: Attached | undefined): Working[] =>
  [attached?.delivery, attached?.prompting].filter((part) => part !== undefined);

/** How long the store is kept open for what is being answered, in milliseconds: longer than a redemption may take. */
const ANSWERED_WITHIN = 6_000;

const notifiesStatus = ({ compat }: Settings): boolean => compat?.statusNotifications === true;

/** Links and forms are sealed: every process must be able to open what another one sealed. */
function checkSecrets({ secrets }: Configured, { redis, interaction }: Settings): void {
  if (interaction && redis && secrets.length === 0) {
    throw invalidOption(
      'cookies.keys',
      'must be set where requests live in Redis: links are sealed with them',
    );
  }
}

function pageOf(
  provider: Provider,
  { secrets }: Configured,
  { store, settings }: Pick<Parts, 'store' | 'settings'>,
): PageParts | undefined {
  const { interaction, page } = settings;
  if (!interaction) return undefined;
  const seals = new Seals(secrets.length > 0 ? secrets : [randomBytes(32)]);
  const base = (page.baseUrl ?? provider.issuer).replace(/\/$/, '');
  return {
    seals,
    links: new Links(seals, `${base}${page.path}`),
    origin: new URL(base).origin,
    assumedMount: page.baseUrl === undefined ? new URL(base).pathname.replace(/\/$/, '') : undefined,
    useChallenge: (challenge, lifetime) => store.useOnce('challenge', challenge, lifetime, randomUUID()),
  };
}

const notAttached = (sentence: string): CibaError => new CibaError('not_attached', sentence);

function storeOf(settings: Settings, events: Emitter): Store {
  const { redis, replicas, prefix, timeOffset, longPolling, encryption } = settings;
  if (!redis) return new MemoryStore(timeOffset);
  const unavailable = (cause: unknown): void => events.emit('store.unavailable', { cause });
  const timer = () => {
    if (!events.hears('timing')) return undefined;
    return (kind: string, seconds: number, failed: boolean): void =>
      events.time(() => ({
        of: 'store',
        kind,
        seconds,
        failed,
        outcome: failed ? 'unavailable' : 'answered',
      }));
  };
  return new RedisStore(redis, prefix, timeOffset, unavailable, {
    tellsDecisions: longPolling !== undefined,
    replicas,
    keys: encryption?.keys,
    timer,
  });
}
