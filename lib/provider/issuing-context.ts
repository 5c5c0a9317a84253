import { AsyncResource } from 'node:async_hooks';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';

/** What tokens are issued in while no request of a client's is there. */
export interface IssuingContext {
  readonly ctx: KoaContextWithOIDC;
  /** Does something where `Provider.ctx` is the context, for the server's hooks that are given it. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Makes the context in which the server's hooks find what they look for. Only oidc-provider can set `Provider.ctx`, and does so
 * when it routes a request: it gets one for its public keys that comes from nobody and is answered to nobody.
 */
export async function issuingContextOf(provider: Provider): Promise<IssuingContext> {
  const ctx = contextOf(provider);
  let inside: AsyncResource | undefined;
  Object.defineProperty(ctx, 'body', {
    configurable: true,
    get: () => undefined,
    set: () => {
      inside ??= new AsyncResource('oidc-provider-ciba');
    },
  });
  // The router is the last: what the server has put in front of it is for requests of clients.
  const router = provider.middleware.at(-1);
  await router?.(ctx, async () => {});
  Reflect.deleteProperty(ctx, 'body');
  if (!('oidc' in ctx)) Object.defineProperty(ctx, 'oidc', { value: new provider.OIDCContext(ctx) });
  return {
    ctx: ctx as unknown as KoaContextWithOIDC,
    run: (work) => (inside ? inside.runInAsyncScope(work) : work()),
  };
}

function contextOf(provider: Provider): ReturnType<Provider['createContext']> {
  const { host, protocol } = new URL(provider.issuer);
  const socket = Object.assign(new Socket(), { encrypted: protocol === 'https:' });
  const request = Object.assign(new IncomingMessage(socket), {
    method: 'GET',
    url: provider.pathFor('jwks', { mountPath: '' }),
    // Where the provider is mounted, as Express would say it.
    originalUrl: provider.pathFor('jwks'),
    headers: { host },
  });
  return provider.createContext(request, new ServerResponse(request));
}
