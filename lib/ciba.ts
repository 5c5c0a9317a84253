import { Router } from 'express';
import type Provider from 'oidc-provider';
import type { Configuration } from 'oidc-provider';
import { CibaError } from './errors.js';
import { type CibaEventName, type CibaEvents, Events } from './events.js';
import { cibaRouter } from './http/router.js';
import { type CibaOptions, type Settings, settingsOf } from './options.js';
import { attach } from './provider/attach.js';
import { type ConfigurationWithCiba, type Configured, configure } from './provider/configure.js';
import { grantIssuer } from './provider/grant.js';
import { Requests } from './request/requests.js';
import { MemoryStore } from './store/memory.js';
import { RedisStore } from './store/redis.js';
import type { Store } from './store/store.js';

/** CIBA for one provider: made by {@link createCiba}. */
export interface Ciba {
  /** Looks at pending requests and decides them. */
  readonly requests: Requests;
  /**
   * A provider configuration with CIBA in it, made from the server's own, which is not touched. Where `features.ciba.enabled`
   * is not `true` it is the server's own, unchanged.
   * @throws {CibaError} `invalid_option`, naming what is wrong
   */
  configure(config: ConfigurationWithCiba): Configuration;
  /**
   * The Express router of a provider that was made with {@link Ciba.configure}: the backchannel authentication endpoint, the
   * token endpoint, and the decision endpoints. Mount it where the provider is mounted, in front of it. Where CIBA is not
   * enabled it mounts nothing.
   * @throws {CibaError} `not_attached` where `configure` was not called, or the router is of another provider
   */
  router(provider: Provider): Router;
  /** Listens to an event; the function returned stops that. A listener that throws harms nobody. */
  on<Name extends CibaEventName>(name: Name, listener: (event: CibaEvents[Name]) => void): () => void;
  /** Ends the connections and timers that the plugin opened. The Redis client that was given stays open. */
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
  const events = new Events();
  const store = storeOf(settings, events);
  let configured: Configured | undefined;
  let attached: { readonly provider: Provider; readonly router: Router } | undefined;

  const provider = (): Provider => {
    if (!attached)
      throw new CibaError('not_attached', 'call ciba.router(provider) before deciding a request');
    return attached.provider;
  };
  const requests = new Requests({
    store,
    events,
    issueGrant: grantIssuer(provider),
    requireAcr: settings.requireAcr,
  });

  return {
    requests,
    configure(config): Configuration {
      if (configured)
        throw new CibaError('not_attached', 'ciba.configure() was called before: make one ciba a provider');
      const made = configure(config, { store, events, settings });
      configured = made.configured;
      return made.config;
    },
    router(given) {
      if (!configured) {
        throw new CibaError(
          'not_attached',
          'make the provider with ciba.configure(), then call ciba.router(provider)',
        );
      }
      if (!configured.enabled) return Router();
      if (attached && attached.provider !== given) {
        throw new CibaError(
          'not_attached',
          'ciba.router() was called with another provider before: make one ciba a provider',
        );
      }
      if (!attached) {
        const paths = attach(given, requests, { store, events, userCodes: configured.userCodes });
        attached = { provider: given, router: cibaRouter({ provider: given, paths, requests, settings }) };
      }
      return attached.router;
    },
    on: (name, listener) => events.on(name, listener),
    async close() {
      await store.close();
      events.removeAll();
    },
  };
}

function storeOf({ redis, prefix, timeOffset }: Settings, events: Events): Store {
  if (!redis) return new MemoryStore(timeOffset);
  return new RedisStore(redis, prefix, timeOffset, (cause) => events.emit('store.unavailable', { cause }));
}
