import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';

/**
 * A secret comes by the way that the client is registered for (CIBA Core 7.1, 10.1): oidc-provider takes it by the other one as well.
 * @throws {errors.InvalidClientAuth} 401
 */
export function checkAuthenticationMethod(ctx: KoaContextWithOIDC): void {
  const { clientAuthMethod: registered } = ctx.oidc.client as Client;
  const inHeader = ctx.headers.authorization !== undefined;
  if (
    (registered === 'client_secret_basic' && !inHeader) ||
    (registered === 'client_secret_post' && inHeader)
  ) {
    throw new errors.InvalidClientAuth(
      'the provided authentication mechanism does not match the registered client authentication method',
    );
  }
}
