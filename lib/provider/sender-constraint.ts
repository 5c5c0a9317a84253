import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { SenderConstraint } from '../delivery/callback.js';
import { provenKeyOf } from './dpop-proof.js';
import type { IssuingConfig } from './issuing-config.js';

/**
 * The key that tokens are to be bound to which are pushed later, when the client is not there to show it: the one it shows with
 * its request (CIBA Core 5).
 * @throws {errors.InvalidRequest} where the client is registered for bound tokens and shows no key, or shows two
 * @throws {errors.InvalidDpopProof}
 * @throws {errors.UseDpopNonce}
 */
export async function senderConstraintOf(
  ctx: KoaContextWithOIDC,
  issuing: IssuingConfig,
): Promise<SenderConstraint | undefined> {
  const client = ctx.oidc.client as Client;
  const thumbprint = thumbprintOf(ctx, client, issuing);
  const proven = issuing.dPoP.enabled && ctx.get('DPoP') !== '';
  if (!proven && client.dpopBoundAccessTokens) throw new errors.InvalidRequest('a DPoP proof is required');
  if (!proven) return thumbprint === undefined ? undefined : { 'x5t#S256': thumbprint };
  if (thumbprint !== undefined) {
    throw new errors.InvalidRequest('tokens cannot be bound to a certificate and to a DPoP key');
  }
  return { jkt: await provenKeyOf(ctx, issuing.dPoP) };
}

function thumbprintOf(
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
