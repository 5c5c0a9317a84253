import express from 'express';
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { ISSUER } from '../population.js';
import { approving } from './approving.js';
import { configurationOf } from './configuration.js';
import type { Contender, ContenderSpec } from './contender.js';

/** oidc-provider's own CIBA on Express, with the hooks that a server has to write. */
export function native(spec: ContenderSpec): Contender {
  const config = configurationOf(spec, new Redis(spec.redisPort));
  const provider = new Provider(ISSUER, {
    ...config,
    features: {
      ...config.features,
      ciba: {
        enabled: true,
        deliveryModes: ['poll'],
        processLoginHint: async (_ctx, hint) => hint,
        validateBindingMessage: () => {},
        validateRequestContext: () => {},
        verifyUserCode: () => {},
        triggerAuthenticationDevice: () => {},
      },
    },
  });
  const app = express();
  app.use(
    approving(async (authReqId) => {
      const request = await provider.BackchannelAuthenticationRequest.find(authReqId);
      if (!request) throw new Error('there is no such request');
      const { accountId, clientId } = request;
      const grant = new provider.Grant({ accountId: String(accountId), clientId: String(clientId) });
      grant.addOIDCScope('openid');
      await provider.backchannelResult(request, await grant.save());
    }),
  );
  app.use(provider.callback());
  return { listener: app };
}
