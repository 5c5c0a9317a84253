import {
  type AuthorizationDetailsForAccessToken,
  type Configuration,
  errors,
  type FindAccount,
  type MTLSGetCertificate,
} from 'oidc-provider';

type Features = NonNullable<Configuration['features']>;
type ResourceHooks = Required<NonNullable<Features['resourceIndicators']>>;

/** What the server's configuration says of issuing tokens, with oidc-provider's defaults where it says nothing. */
export interface IssuingConfig {
  readonly findAccount: FindAccount;
  readonly issueRefreshToken: NonNullable<Configuration['issueRefreshToken']>;
  /** Whether an ID Token leaves the claims of scopes to the userinfo endpoint, where the access token is for that. */
  readonly conformIdTokenClaims: boolean;
  readonly userinfo: boolean;
  readonly resourceIndicators: { readonly [Name in keyof ResourceHooks]: NonNullable<ResourceHooks[Name]> };
  readonly authorizationDetailsForAccessToken: AuthorizationDetailsForAccessToken | undefined;
  /** Where tokens can be bound to certificates: finds that of a request. */
  readonly getCertificate: MTLSGetCertificate | undefined;
  readonly dPoP: DpopConfig;
}

/** What the server asks of DPoP proofs (RFC 9449). */
export interface DpopConfig {
  readonly enabled: boolean;
  readonly algorithms: readonly string[];
  readonly allowReplay: boolean;
  readonly nonceSecret: Uint8Array | undefined;
  readonly requireNonce: NonNullable<NonNullable<Features['dPoP']>['requireNonce']>;
}

/** Takes what is needed for issuing out of the server's configuration; `findAccount` is theirs as the plugin extended it. */
export function issuingConfigOf(config: Configuration, findAccount: FindAccount | undefined): IssuingConfig {
  const { resourceIndicators, richAuthorizationRequests, dPoP, mTLS, userinfo } = config.features ?? {};
  return {
    findAccount: findAccount ?? ((_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) })),
    issueRefreshToken:
      config.issueRefreshToken ??
      ((_ctx, client, source) =>
        client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access')),
    conformIdTokenClaims: config.conformIdTokenClaims ?? true,
    userinfo: userinfo?.enabled ?? true,
    resourceIndicators: {
      enabled: resourceIndicators?.enabled ?? true,
      defaultResource: resourceIndicators?.defaultResource ?? ((_ctx, _client, oneOf) => oneOf),
      useGrantedResource: resourceIndicators?.useGrantedResource ?? (() => false),
      getResourceServerInfo:
        resourceIndicators?.getResourceServerInfo ??
        (() => {
          throw new errors.InvalidTarget();
        }),
    },
    authorizationDetailsForAccessToken: richAuthorizationRequests?.authorizationDetailsForAccessToken,
    getCertificate: certificatesOf(mTLS),
    dPoP: {
      enabled: dPoP?.enabled ?? true,
      algorithms: config.enabledJWA?.dPoPSigningAlgValues ?? ['ES256', 'Ed25519', 'EdDSA'],
      allowReplay: dPoP?.allowReplay ?? false,
      nonceSecret: dPoP?.nonceSecret,
      requireNonce: dPoP?.requireNonce ?? (() => false),
    },
  };
}

/** Where tokens can be bound to certificates and nobody says how one is found, none is issued without. */
function certificatesOf(mTLS: Features['mTLS']): MTLSGetCertificate | undefined {
  if (!mTLS?.enabled || !mTLS.certificateBoundAccessTokens) return undefined;
  return (
    mTLS.getCertificate ??
    (() => {
      throw new Error('features.mTLS.getCertificate is needed to bind tokens to certificates');
    })
  );
}
