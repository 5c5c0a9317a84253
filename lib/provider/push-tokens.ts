import type Provider from 'oidc-provider';
import {
  type AccessToken,
  type Account,
  type BackchannelAuthenticationRequest,
  type Client,
  errors,
  type Grant,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { PushGrant, TokenResponse } from '../delivery/recipients.js';
import { decidedModel } from '../request/payload.js';
import type { IssuingConfig } from './issuing-config.js';
import { issuingContextOf } from './issuing-context.js';
import { BACKCHANNEL_ROUTE, CIBA_GRANT } from './names.js';
import { tokenHash } from './token-hash.js';

/** Issues the tokens that a push carries, and takes them back. */
export interface PushTokens {
  /**
   * Issues what oidc-provider would answer a token request with (CIBA Core 10.3.1). Where that fails nothing is left behind.
   * @throws {errors.InvalidGrant} where the client, the account or the approval's grant is gone
   */
  issue(grant: PushGrant): Promise<TokenResponse>;
  /** Destroys the tokens of a response, those that are still there. */
  destroy(tokens: TokenResponse): Promise<void>;
}

/** What the claims of an ID Token are prefixed with that CIBA adds (CIBA Core 10.3.1). */
const CLAIM = 'urn:openid:params:jwt:claim:';

/** Claims about the authentication itself, which no grant can hold back. */
const ALWAYS_GRANTED: ReadonlySet<string> = new Set(['sub', 'sid', 'auth_time', 'acr', 'amr', 'iss']);

export function pushTokens(provider: Provider, config: IssuingConfig): PushTokens {
  return {
    async issue(approval) {
      const { ctx, run } = await issuingContextOf(provider);
      return run(() => issueTokens(provider, config, ctx, approval));
    },
    async destroy({ access_token: access, refresh_token: refresh }) {
      const found = await Promise.all([
        typeof access === 'string' ? provider.AccessToken.find(access) : undefined,
        typeof refresh === 'string' ? provider.RefreshToken.find(refresh) : undefined,
      ]);
      await Promise.all(found.map((token) => token?.destroy()));
    },
  };
}

/** What is issued from: the request as it was stored and approved, and whom it concerns. */
interface Source {
  readonly ctx: KoaContextWithOIDC;
  readonly request: BackchannelAuthenticationRequest;
  readonly client: Client;
  readonly grant: Grant;
  readonly account: Account;
}

async function issueTokens(
  provider: Provider,
  config: IssuingConfig,
  ctx: KoaContextWithOIDC,
  approval: PushGrant,
): Promise<TokenResponse> {
  const source = await sourceOf(provider, config, ctx, approval);
  const saved: { destroy(): Promise<void> }[] = [];
  try {
    const access = await accessTokenOf(provider, config, source, approval);
    saved.push(access);
    const accessToken = await access.save();
    const refresh = await refreshTokenOf(provider, config, source);
    if (refresh) saved.push(refresh);
    const refreshToken = await refresh?.save();
    const { authReqId } = approval;
    const idToken = await idTokenOf(provider, config, source, access, {
      at_hash: accessToken,
      [`${CLAIM}auth_req_id`]: authReqId,
      [`${CLAIM}rt_hash`]: refreshToken && hashFor(source.client, refreshToken),
    });
    const members = {
      access_token: accessToken,
      token_type: access.tokenType,
      expires_in: access.expiration,
      id_token: idToken,
      refresh_token: refreshToken,
      scope: access.scope,
      authorization_details: access.rar,
    };
    return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  } catch (error) {
    await Promise.allSettled(saved.map((token) => token.destroy()));
    throw error;
  }
}

async function sourceOf(
  provider: Provider,
  { findAccount }: IssuingConfig,
  ctx: KoaContextWithOIDC,
  { authReqId, clientId, accountId, model, decision, constraint }: PushGrant,
): Promise<Source> {
  Object.assign(ctx.oidc, {
    route: BACKCHANNEL_ROUTE,
    params: { ...(model['params'] as object | undefined) },
  });
  const client = found(await provider.Client.find(clientId), 'client');
  ctx.oidc.entity('Client', client);
  const request = new provider.BackchannelAuthenticationRequest({
    ...decidedModel({ model }, decision),
    jti: authReqId,
    clientId,
    accountId,
  } as { clientId: string });
  checkConstraint(client, constraint);
  const grant = found(await provider.Grant.find(request.grantId), 'grant');
  if (grant.clientId !== clientId || grant.accountId !== accountId) {
    throw new errors.InvalidGrant('the grant is of another client or account');
  }
  await checkSession(provider, request);
  ctx.oidc.entity('BackchannelAuthenticationRequest', request);
  ctx.oidc.entity('Grant', grant);
  const account = found(await findAccount(ctx, accountId, request), 'account');
  ctx.oidc.entity('Account', account);
  return { ctx, request, client, grant, account };
}

/** A client that has been registered for bound tokens since it asked gets no others. */
function checkConstraint(client: Client, constraint: PushGrant['constraint']): void {
  const { dpopBoundAccessTokens, tlsClientCertificateBoundAccessTokens } = client;
  const unbound =
    (dpopBoundAccessTokens && constraint?.jkt === undefined) ||
    (tlsClientCertificateBoundAccessTokens && constraint?.['x5t#S256'] === undefined);
  if (unbound) throw new errors.InvalidGrant('the request came without the key that the client is bound to');
}

/** An approval that ends with the person's session ends with it before the tokens are there, too. */
async function checkSession(
  provider: Provider,
  { expiresWithSession, sessionUid, accountId, clientId, grantId }: BackchannelAuthenticationRequest,
): Promise<void> {
  if (!expiresWithSession) return;
  const session = found(await provider.Session.findByUid(String(sessionUid)), 'session');
  if (session.accountId !== accountId || session.grantIdFor(String(clientId)) !== grantId) {
    throw new errors.InvalidGrant('the session is of another account or grant');
  }
}

async function accessTokenOf(
  provider: Provider,
  config: IssuingConfig,
  { ctx, request, client, grant, account }: Source,
  { constraint }: PushGrant,
): Promise<AccessToken> {
  const { grantId, expiresWithSession, sessionUid, sid, rar, claims, scopes } = request;
  const token = new provider.AccessToken({
    ...constraint,
    client,
    accountId: account.accountId,
    grantId,
    gty: 'ciba',
    expiresWithSession,
    sessionUid,
    sid,
    rar,
  });
  const resource = await resourceOf(ctx, config, request, client);
  if (resource === undefined) {
    token.claims = claims;
    token.scope = grant.getOIDCScopeFiltered(scopes);
  } else {
    const info = await config.resourceIndicators.getResourceServerInfo(ctx, resource, client);
    const server = new provider.ResourceServer(resource, info);
    token.resourceServer = server;
    const known = [...scopes].filter((scope) => server.scopes.has(scope));
    token.scope = grant.getResourceScopeFiltered(resource, known);
  }
  if (rar !== undefined) token.rar = await detailsOf(ctx, config, token, request);
  ctx.oidc.entity('AccessToken', token);
  return token;
}

/** The one resource that the access token is for, or nothing where it is for the userinfo endpoint (RFC 8707 2.2). */
async function resourceOf(
  ctx: KoaContextWithOIDC,
  { resourceIndicators, userinfo }: IssuingConfig,
  request: BackchannelAuthenticationRequest,
  client: Client,
): Promise<string | undefined> {
  const asked = [request.resource ?? []].flat();
  if (!resourceIndicators.enabled || asked.length === 0) return undefined;
  const forUserinfo = userinfo && request.scopes.has('openid');
  if (!(await resourceIndicators.useGrantedResource(ctx, request)) && forUserinfo) return undefined;
  const [one] = asked;
  const resource = Array.isArray(request.resource)
    ? await resourceIndicators.defaultResource(ctx, client, asked)
    : one;
  if (Array.isArray(resource)) throw new errors.InvalidTarget('the token can be for one resource only');
  if (resource && !asked.includes(resource as string)) throw new errors.InvalidTarget();
  return (resource as string | undefined) || undefined;
}

async function detailsOf(
  ctx: KoaContextWithOIDC,
  { authorizationDetailsForAccessToken: theirs }: IssuingConfig,
  token: AccessToken,
  request: BackchannelAuthenticationRequest,
): Promise<AccessToken['rar']> {
  if (!theirs) {
    const hook = 'features.richAuthorizationRequests.authorizationDetailsForAccessToken';
    throw new Error(`${hook} is needed to push authorization details`);
  }
  const details = await theirs(ctx, token, request, CIBA_GRANT);
  return details && details.length > 0 ? [...details] : undefined;
}

/** Bound to nothing but the client, which authenticates where it uses it (RFC 9449 5). */
async function refreshTokenOf(
  provider: Provider,
  { issueRefreshToken }: IssuingConfig,
  { ctx, request, client }: Source,
): Promise<InstanceType<Provider['RefreshToken']> | undefined> {
  if (!(await issueRefreshToken(ctx, client, request))) return undefined;
  const { accountId, acr, amr, authTime, claims, expiresWithSession, grantId, nonce } = request;
  const { resource, scope = '', sessionUid, sid, rar, attestationJkt } = request;
  const token = new provider.RefreshToken({
    client,
    accountId: String(accountId),
    acr,
    amr,
    authTime,
    claims,
    expiresWithSession,
    grantId,
    gty: 'ciba',
    nonce,
    resource,
    rotations: 0,
    scope,
    sessionUid,
    sid,
    rar,
    attestationJkt,
  });
  ctx.oidc.entity('RefreshToken', token);
  return token;
}

async function idTokenOf(
  provider: Provider,
  { conformIdTokenClaims, userinfo }: IssuingConfig,
  { ctx, request, client, grant, account }: Source,
  access: AccessToken,
  more: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { acr, amr, authTime, nonce, sid, scopes, scope = '' } = request;
  const mask = grantedClaims(request.claims?.id_token ?? {}, grant);
  const rejected = grant.getRejectedOIDCClaims();
  const claims = await account.claims('id_token', scope, mask, rejected);
  const available = { ...claims, sub: account.accountId, acr, amr, auth_time: authTime };
  const token = new provider.IdToken(available, { ctx, client });
  const atUserinfo = conformIdTokenClaims && userinfo && !access.aud;
  Object.assign(token, {
    scope: atUserinfo ? 'openid' : grant.getOIDCScopeFiltered(scopes),
    mask,
    rejected,
  });
  for (const [name, value] of Object.entries({ nonce, sid, ...more })) {
    if (value !== undefined) token.set(name, value);
  }
  return token.issue({ use: 'idtoken' });
}

type RequestedClaims = Parameters<Account['claims']>[2];

/** The claims asked for one by one, less those that the grant does not hold. */
function grantedClaims(requested: RequestedClaims, grant: Grant): RequestedClaims {
  const granted = new Set(grant.getOIDCClaimsFiltered(Object.keys(requested)));
  return Object.fromEntries(
    Object.entries(requested).filter(([claim]) => ALWAYS_GRANTED.has(claim) || granted.has(claim)),
  );
}

/** `at_hash` is hashed when the ID Token is signed, this one is not. */
function hashFor(client: Client, token: string): string {
  return tokenHash(token, String(client.idTokenSignedResponseAlg));
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new errors.InvalidGrant(`the ${name} is gone`);
  return value;
}
