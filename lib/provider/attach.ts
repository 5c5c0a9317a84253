import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Requests } from '../request/requests.js';
import type { UnderWay } from '../request/under-way.js';
import { readAtOnce } from './arrived-body.js';
import { backchannelResult } from './backchannel-result.js';
import { atTokenEndpoint, CANCEL } from './cancel.js';
import type { Configured } from './configure.js';
import { beginExchange, type StepParts } from './exchange.js';
import { BACKCHANNEL_ROUTE, TOKEN_ROUTE } from './names.js';
import { releaseRedemption } from './settle.js';
import { runSteps } from './steps.js';

type KoaContext = Parameters<Provider['middleware'][number]>[0];

/** The paths that the router mounts, below wherever the provider is mounted. */
export interface Paths {
  readonly backchannel: string;
  readonly token: string;
  /** Where clients withdraw their requests. */
  readonly cancel: string;
  /** Where clients register themselves, if the server lets them. */
  readonly registration: string | undefined;
}

/** Puts the plugin around a provider made with its configuration: the middleware, and the road of `backchannelResult()`. */
export function attach(
  provider: Provider,
  { adapter, feature }: Pick<Configured, 'adapter' | 'feature'>,
  requests: Requests,
  parts: StepParts,
  underWay: UnderWay,
): Paths {
  if ((provider.BackchannelAuthenticationRequest as { adapter?: unknown }).adapter !== adapter) {
    throw new CibaError(
      'not_attached',
      'the provider was not made with the configuration of ciba.configure()',
    );
  }
  feature.completeModes();
  const backchannel = provider.pathFor(BACKCHANNEL_ROUTE, { mountPath: '' });
  const paths = {
    backchannel,
    token: provider.pathFor(TOKEN_ROUTE, { mountPath: '' }),
    cancel: `${backchannel}${CANCEL}`,
    registration: registrationPath(provider),
  };
  const endpoints: ReadonlySet<string> = new Set(
    [paths.backchannel, paths.token, paths.cancel].map(asRouted),
  );
  const around = async (ctx: KoaContext, next: () => Promise<void>): Promise<void> => {
    const exchange = beginExchange(ctx);
    const oidcCtx = ctx as KoaContextWithOIDC;
    let answered = false;
    underWay.begin();
    try {
      // They answer programs: an error page, which a browser's Accept header brings, would not be understood.
      if (endpoints.has(asRouted(ctx.path))) {
        ctx.headers.accept = 'application/json';
        readAtOnce(ctx.req);
      }
      if (ctx.path === paths.cancel) {
        exchange.cancel = (handle) => requests.cancel(handle, { byClient: true });
        await atTokenEndpoint(ctx, paths.token, next);
      } else await next();
      answered = true;
      const waits = runSteps(oidcCtx, exchange, parts);
      if (waits) await waits;
    } catch (error) {
      // Only the server's own middleware throws this far; the next poll may redeem what it interrupted.
      if (!answered && exchange.claim) await releaseRedemption(oidcCtx, exchange.claim, parts);
      throw error;
    } finally {
      underWay.end();
    }
  };
  provider.use(around);
  // The outermost, also where the server added its own before: an answer is settled when nothing can fail it any more.
  provider.middleware.unshift(...provider.middleware.splice(provider.middleware.indexOf(around), 1));
  provider.backchannelResult = backchannelResult(provider, requests);
  return paths;
}

/** oidc-provider's routes are the same in capitals, and with a slash behind them. */
const asRouted = (path: string): string => path.toLowerCase().replace(/\/$/, '');

/** oidc-provider throws where it has no such route. */
function registrationPath(provider: Provider): string | undefined {
  try {
    return provider.pathFor('registration', { mountPath: '' });
  } catch {
    return undefined;
  }
}
