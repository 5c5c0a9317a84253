import { Router } from 'express';
import type Provider from 'oidc-provider';
import type { Configuration } from 'oidc-provider';
import { CibaError } from './errors.js';
import { type CibaEventName, type CibaListener, Events } from './events.js';
import { cibaRouter } from './http/router.js';
import { type CibaOptions, type Settings, settingsOf } from './options.js';
import { attach } from './provider/attach.js';
import { type ConfigurationWithCiba, type Configured, configure } from './provider/configure.js';
import { grantFor } from './provider/grant.js';
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
   * Ties the plugin to a provider that was made with {@link Ciba.configure}, and gives its Express router: the methods of both
   * protocol endpoints, and the decision endpoints. Mount it where `provider.callback()` is mounted, in front of it, and call it
   * before `provider.callback()`. Where CIBA is not enabled it mounts nothing.
   * @throws {CibaError} `not_attached` where `configure` was not called, or the provider was not made with it
   */
  router(provider: Provider): Router;
  /** Listens to an event; the function returned stops that. A listener that throws or rejects harms nobody. */
  on<Name extends CibaEventName>(name: Name, listener: CibaListener<Name>): () => void;
  /** Ends the connections that the plugin opened. The Redis client that was given stays open. */
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
  let made: { readonly configured: Configured | undefined } | undefined;
  let attached: { readonly provider: Provider; readonly router: Router } | undefined;

  const provider = (): Provider => {
    if (!attached) throw notAttached('call ciba.router(provider) before deciding a request');
    return attached.provider;
  };
  const { requireAcr } = settings;
  const requests = new Requests({ store, events, grantFor: grantFor(provider), requireAcr });

  return {
    requests,
    configure(config): Configuration {
      if (made) throw notAttached('ciba.configure() was called before: make one ciba a provider');
      const { config: extended, configured } = configure(config, { store, events, settings });
      made = { configured };
      return extended;
    },
    router(given) {
      if (!made)
        throw notAttached('make the provider with ciba.configure(), then call ciba.router(provider)');
      if (!made.configured) return Router();
      if (attached && attached.provider !== given) {
        throw notAttached('ciba.router() was called with another provider before: make one ciba a provider');
      }
      if (!attached) {
        const { adapter, userCodes } = made.configured;
        const paths = attach(given, adapter, requests, { store, events, userCodes });
        attached = { provider: given, router: cibaRouter({ paths, requests, settings }) };
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

const notAttached = (sentence: string): CibaError => new CibaError('not_attached', sentence);

function storeOf({ redis, prefix, timeOffset }: Settings, events: Events): Store {
  if (!redis) return new MemoryStore(timeOffset);
  return new RedisStore(redis, prefix, timeOffset, (cause) => events.emit('store.unavailable', { cause }));
}
