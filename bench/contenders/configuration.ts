import { generateKeyPairSync } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Configuration } from 'oidc-provider';
import { LIFETIME } from '../population.js';
import { clientsOf } from './clients.js';
import type { ContenderSpec } from './contender.js';
import { plainAdapter } from './plain-adapter.js';

/** What all servers on oidc-provider have in common. */
export function configurationOf({ assertionKey, endpoints }: ContenderSpec, redis: Redis): Configuration {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return {
    adapter: plainAdapter(redis),
    clients: clientsOf(assertionKey, endpoints),
    findAccount: async (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256' } as never] },
    cookies: { keys: ['the benchmark'] },
    ttl: {
      AccessToken: LIFETIME,
      Grant: LIFETIME,
      IdToken: LIFETIME,
      BackchannelAuthenticationRequest: LIFETIME,
    },
    features: { devInteractions: { enabled: false } },
  };
}
