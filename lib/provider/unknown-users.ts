import { createHash } from 'node:crypto';
import type { FindAccount, KoaContextWithOIDC } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import { exchangeOf } from './exchange.js';
import { BACKCHANNEL_ROUTE } from './names.js';

/** What the id of an account begins with that stands for nobody: it holds a character that is in no id of the plugin's making. */
const NOBODY = 'nobody\u0000';

/** Finds the account of a hint. */
export type ResolveHint = (
  ctx: KoaContextWithOIDC,
  hint?: string,
) => Promise<string | undefined> | string | undefined;

/**
 * Where unknown users are hidden, a hint that leads to nobody is taken as one that leads to somebody: the request is stored, nobody is
 * prompted, and it expires (CIBA Core 14). The same hint is always the same nobody, so that the limits are met as they are with a person.
 */
export function hidingUnknown(resolve: ResolveHint, { hideUnknownUsers, findable }: Hiding): ResolveHint {
  if (!hideUnknownUsers) return resolve;
  return async (ctx, hint) => {
    const accountId = await resolve(ctx, hint);
    if (accountId !== undefined && accountId !== null && (await findable(ctx, accountId))) return accountId;
    const digest = createHash('sha256').update(String(hint).trim().toLowerCase()).digest('base64url');
    exchangeOf(ctx).nobody = `${NOBODY}${digest}`;
    return exchangeOf(ctx).nobody;
  };
}

/** What {@link hidingUnknown} goes by. */
export interface Hiding extends Pick<Settings, 'hideUnknownUsers'> {
  /** Whether the server has this account. */
  readonly findable: (ctx: KoaContextWithOIDC, accountId: string) => Promise<boolean>;
}

/** The server's `findAccount`, with the one who is nobody among the accounts while a request for them is made. */
export function findingNobody(theirs: FindAccount, { hideUnknownUsers }: Settings): FindAccount {
  if (!hideUnknownUsers) return theirs;
  return (ctx, id, token) => {
    if (!id.startsWith(NOBODY)) return theirs(ctx, id, token);
    const here = ctx.oidc.route === BACKCHANNEL_ROUTE && exchangeOf(ctx).nobody === id;
    return here ? { accountId: id, claims: async () => ({ sub: id }) } : undefined;
  };
}
