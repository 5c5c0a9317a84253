import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { ConfigurationWithCiba } from 'oidc-provider-ciba';

/** Bare oidc-provider, and how a server on it decides: the control of the race, crash and fault specs. */
export function plainServer(
  issuer: string,
  config: ConfigurationWithCiba,
): { provider: Provider; decide: (authReqId: string, action: string) => Promise<void> } {
  const provider = new Provider(issuer, {
    ...config,
    features: {
      ...config.features,
      ciba: {
        enabled: true,
        processLoginHint: (_ctx: KoaContextWithOIDC, hint?: string) => hint,
        processLoginHintToken: () => undefined,
        validateBindingMessage: () => {},
        validateRequestContext: () => {},
        verifyUserCode: () => {},
        triggerAuthenticationDevice: () => {},
      },
    },
  });
  return {
    provider,
    async decide(authReqId, action) {
      if (action !== 'allow') return provider.backchannelResult(authReqId, new errors.AccessDenied());
      const request = await provider.BackchannelAuthenticationRequest.find(authReqId);
      const grant = new provider.Grant({
        accountId: String(request?.accountId),
        clientId: String(request?.clientId),
      });
      grant.addOIDCScope('openid offline_access');
      await provider.backchannelResult(authReqId, await grant.save());
    },
  };
}
