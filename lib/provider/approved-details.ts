import { isDeepStrictEqual } from 'node:util';
import {
  type AuthorizationDetail,
  type AuthorizationDetailsForAccessToken,
  type AuthorizationDetailsForIntrospection,
  errors,
} from 'oidc-provider';

interface Hooks {
  readonly enabled?: boolean | undefined;
  readonly authorizationDetailsForAccessToken?: AuthorizationDetailsForAccessToken | undefined;
  readonly authorizationDetailsForIntrospection?: AuthorizationDetailsForIntrospection | undefined;
}

/** The server's own rules for authorization details in tokens; where it has none, for which oidc-provider would fail, those below. */
export function extendDetails(theirs: unknown): { readonly richAuthorizationRequests?: Hooks } {
  const hooks = theirs as Hooks | undefined;
  if (hooks?.enabled !== true) return {};
  return {
    richAuthorizationRequests: {
      ...hooks,
      authorizationDetailsForAccessToken: hooks.authorizationDetailsForAccessToken ?? approvedDetails,
      authorizationDetailsForIntrospection:
        hooks.authorizationDetailsForIntrospection ?? ((_ctx, token) => detailsIn(token)),
    },
  };
}

/**
 * All the details that were approved, or those of them that the token request names (RFC 9396 6). Each is named whole: what makes one of a type
 * less than another only the server can know.
 * @throws {errors.InvalidAuthorizationDetails}
 */
const approvedDetails: AuthorizationDetailsForAccessToken = (ctx, _token, source) => {
  const approved = detailsIn(source) ?? [];
  const named = ctx.oidc.params?.['authorization_details'];
  if (named === undefined) return approved;
  const wanted = JSON.parse(String(named)) as AuthorizationDetail[];
  if (wanted.every((detail) => approved.some((one) => isDeepStrictEqual(one, detail)))) return wanted;
  throw new errors.InvalidAuthorizationDetails(
    'authorization_details must be among those that were approved',
  );
};

/** As they read in JSON, whoever has stored them. */
function detailsIn(holder: unknown): AuthorizationDetail[] | undefined {
  const { rar } = (holder ?? {}) as { readonly rar?: unknown };
  return rar === undefined ? undefined : (JSON.parse(JSON.stringify(rar)) as AuthorizationDetail[]);
}
