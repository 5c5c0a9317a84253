import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';

/** What oidc-provider keeps of a hint that it has verified. */
interface Verified {
  readonly header?: { readonly typ?: unknown };
  readonly payload?: { readonly iat?: unknown };
}

/**
 * What oidc-provider does not look at in an `id_token_hint` (CIBA Core 14): its age, whether or not it has expired, and that it is an ID
 * Token, where the server also signs other JWTs for the client.
 * @throws {errors.InvalidRequest}
 */
export function checkIdTokenHint(ctx: KoaContextWithOIDC, settings: Settings): void {
  const hint = ctx.oidc.entities.IdTokenHint as Verified | undefined;
  if (!hint) return;
  const { typ = 'JWT' } = hint.header ?? {};
  if (String(typ).toUpperCase() !== 'JWT')
    throw new errors.InvalidRequest('id_token_hint is not an ID Token');
  const age = Date.now() + settings.timeOffset() - Number(hint.payload?.iat) * 1000;
  // Written so that a token which does not say when it was issued does not pass.
  if (!(age <= settings.idTokenHintMaxAge * 1000)) {
    throw new errors.InvalidRequest('id_token_hint was issued too long ago');
  }
}
