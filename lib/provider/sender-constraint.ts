import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { SenderConstraint } from '../delivery/callback.js';
import { deliveryModeOf } from './client-endpoint.js';
import { exchangeOf } from './exchange.js';
import type { IssuingConfig } from './issuing-config.js';
import { namedKeyOf, pinnedKeyOf } from './pinned-key.js';

/**
 * Finds the key that the tokens of an authentication request will be bound to. A push has no token request to show it at, so that it is shown
 * here (CIBA Core 5); who polls or is pinged may name it or show it, and shows it again.
 * @throws {errors.InvalidRequest}
 * @throws {errors.InvalidDpopProof}
 * @throws {errors.UseDpopNonce}
 */
export async function findSenderConstraint(ctx: KoaContextWithOIDC, issuing: IssuingConfig): Promise<void> {
  const exchange = exchangeOf(ctx);
  if (deliveryModeOf(ctx.oidc.client) === 'push') exchange.constraint = await shownKeyOf(ctx, issuing);
  else exchange.constraint = { jkt: await pinnedKeyOf(ctx, issuing.dPoP) };
}

/** The certificate or the DPoP key that a request is sent with, where there has to be one. */
async function shownKeyOf(
  ctx: KoaContextWithOIDC,
  issuing: IssuingConfig,
): Promise<SenderConstraint | undefined> {
  const client = ctx.oidc.client as Client;
  const thumbprint = thumbprintOf(ctx, client, issuing);
  const { enabled } = issuing.dPoP;
  const proven = enabled && ctx.get('DPoP') !== '';
  if (!proven && (client.dpopBoundAccessTokens || (enabled && namedKeyOf(ctx) !== undefined))) {
    throw new errors.InvalidRequest('a DPoP proof is required');
  }
  if (!proven) return thumbprint === undefined ? undefined : { 'x5t#S256': thumbprint };
  if (thumbprint !== undefined) {
    throw new errors.InvalidRequest('tokens cannot be bound to a certificate and to a DPoP key');
  }
  return { jkt: await pinnedKeyOf(ctx, issuing.dPoP) };
}

/** The thumbprint of the certificate that a request is sent with, for a client whose tokens are bound to it (RFC 8705 3.1). */
export function thumbprintOf(
  ctx: KoaContextWithOIDC,
  client: Client,
  { getCertificate }: IssuingConfig,
): string | undefined {
  if (!getCertificate || !client.tlsClientCertificateBoundAccessTokens) return undefined;
  const certificate = getCertificate(ctx);
  if (!certificate) throw new errors.InvalidRequest('a client certificate is required');
  const { AccessToken } = ctx.oidc.provider;
  const token = new AccessToken({ client, accountId: '', grantId: '', gty: '' });
  token.setThumbprint('x5t', certificate);
  return token['x5t#S256'];
}
