import type Provider from 'oidc-provider';
import type { Adapter, KoaContextWithOIDC } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Requests } from '../request/requests.js';
import { backchannelResult } from './backchannel-result.js';
import { beginExchange } from './exchange.js';
import { BACKCHANNEL_ROUTE, TOKEN_ROUTE } from './names.js';
import { releaseRedemption } from './settle.js';
import { runSteps, type StepParts } from './steps.js';

/** The paths that the router mounts, below wherever the provider is mounted. */
export interface Paths {
  readonly backchannel: string;
  readonly token: string;
}

/** Puts the plugin around a provider made with its configuration: the middleware, and the road of `backchannelResult()`. */
export function attach(provider: Provider, adapter: Adapter, requests: Requests, parts: StepParts): Paths {
  if ((provider.BackchannelAuthenticationRequest as { adapter?: unknown }).adapter !== adapter) {
    throw new CibaError(
      'not_attached',
      'the provider was not made with the configuration of ciba.configure()',
    );
  }
  const paths = {
    backchannel: provider.pathFor(BACKCHANNEL_ROUTE, { mountPath: '' }),
    token: provider.pathFor(TOKEN_ROUTE, { mountPath: '' }),
  };
  provider.use(async (ctx, next) => {
    const exchange = beginExchange(ctx);
    // Both endpoints answer programs: an error page, which a browser's Accept header brings, would not be understood.
    if (ctx.path === paths.backchannel || ctx.path === paths.token) ctx.headers.accept = 'application/json';
    const oidcCtx = ctx as KoaContextWithOIDC;
    try {
      await next();
    } catch (error) {
      // Only the server's own middleware throws this far; what it interrupted may be redeemed by the next poll.
      if (exchange.claim) await releaseRedemption(oidcCtx, exchange.claim, parts);
      throw error;
    }
    await runSteps(oidcCtx, exchange, parts);
  });
  provider.backchannelResult = backchannelResult(provider, requests);
  return paths;
}
