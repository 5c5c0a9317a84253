import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Recipients } from '../delivery/recipients.js';
import { deliveryModeOf, notificationEndpointOf } from './client-endpoint.js';
import type { PushTokens } from './push-tokens.js';

/** The clients of a provider as a delivery sees them. */
export function recipientsOf(provider: Provider, tokens: PushTokens): Recipients {
  return {
    async find(clientId) {
      const client = await provider.Client.find(clientId);
      return client && { mode: deliveryModeOf(client), endpoint: notificationEndpointOf(client) };
    },
    async issue(grant) {
      try {
        return { tokens: await tokens.issue(grant) };
      } catch (error) {
        // What the protocol refuses now it will refuse again; anything else may be a fault that passes.
        if (!(error instanceof errors.OIDCProviderError) || error.statusCode >= 500) throw error;
        return { refused: error.error_description ?? error.error };
      }
    },
    async destroy(issued, grantId) {
      await tokens.destroy(issued);
      if (grantId === undefined) return;
      await Promise.all([
        provider.AccessToken.revokeByGrantId(grantId),
        provider.RefreshToken.revokeByGrantId(grantId),
      ]);
      await (await provider.Grant.find(grantId))?.destroy();
    },
  };
}
