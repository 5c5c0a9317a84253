import type { FindAccount, KoaContextWithOIDC } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import { BACKCHANNEL_ROUTE } from './names.js';

/**
 * The server's `findAccount`, which oidc-provider asks with the subject of an `id_token_hint`. For a pairwise client that is
 * not an account id, and must never be taken for one (CIBA Core 15).
 */
export function extendFindAccount(theirs: FindAccount, settings: Settings): FindAccount {
  return async (ctx, id, token) => {
    if (!hintedByPairwiseSubject(ctx)) return theirs(ctx, id, token);
    const client = ctx.oidc.client;
    const accountId = client && (await settings.resolvePairwiseSubject?.(id, client.metadata()));
    return accountId === undefined ? undefined : theirs(ctx, accountId, token);
  };
}

function hintedByPairwiseSubject({ oidc }: KoaContextWithOIDC): boolean {
  return (
    oidc?.route === BACKCHANNEL_ROUTE &&
    oidc.client?.subjectType === 'pairwise' &&
    oidc.entities.IdTokenHint !== undefined
  );
}
