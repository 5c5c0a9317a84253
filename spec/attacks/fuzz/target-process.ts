/**
 * The server that the fuzzer shoots at: everything that a request can reach is switched on. With REDIS_URL its requests are in that Redis,
 * below PREFIX, otherwise in its memory. Who is signed in is whom the header `x-person` names.
 *
 * To the fuzzer alone, over the channel between the processes, it tells how much memory it has and what links people got, and moves its clock.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { Redis } from 'ioredis';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type ClientMetadata } from 'oidc-provider';
import { createCiba, type Decider } from 'oidc-provider-ciba';
import { baseConfiguration, pollClient } from '../../support/configuration.js';
import { answerFuzzer } from './answer-fuzzer.js';

const { REDIS_URL, PREFIX } = process.env;
let offset = 0;
const links = new Map<string, string>();
const { publicKey } = await generateKeyPair('ES256', { extractable: true });
const keys = [{ ...(await exportJWK(publicKey)), kid: 'a', use: 'sig', alg: 'ES256' }];
const signer: Partial<ClientMetadata> = {
  client_secret: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks: { keys },
};

const signedIn = (req: Request): Decider | undefined => {
  const accountId = req.get('x-person');
  return accountId === undefined ? undefined : { accountId, acr: 'urn:example:phone', amr: ['pwd'] };
};

const ciba = createCiba({
  ...(REDIS_URL && { redis: new Redis(REDIS_URL), prefix: PREFIX }),
  limits: false,
  resolveLoginHint: (hint) => (/^person-\d{1,6}$/.test(hint) ? hint : undefined),
  loginHintToken: { issuers: [{ issuer: 'https://hints.example', jwks: { keys } }] },
  verifyUserCode: (_accountId, code) => code === '1234',
  authenticateDecision: signedIn,
  interaction: signedIn,
  page: { passkeys: { of: () => [] } },
  channels: [{ name: 'inbox', send: async ({ handle, link }) => void links.set(handle, String(link)) }],
  longPolling: { held: 50 },
  compat: { statusNotifications: false, preapproved: { approved: { secret: 'a secret of 22 characters' } } },
  timeOffset: () => offset,
});

// Without an adapter: oidc-provider's own forgets all but the last thousand, so that memory which grows is a fault of somebody.
const base = baseConfiguration();
const provider = new Provider(
  'http://op.example',
  ciba.configure({
    ...base,
    acrValues: ['urn:example:phone'],
    findAccount: async (_ctx, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    clients: [
      pollClient('till', { authorization_details_types: ['payment'] }),
      pollClient('poster', { token_endpoint_auth_method: 'client_secret_post' }),
      pollClient('coder', { backchannel_user_code_parameter: true }),
      pollClient('matcher', { ciba_number_matching: true }),
      pollClient('asserter', signer),
      pollClient('signer', { ...signer, backchannel_authentication_request_signing_alg: 'ES256' }),
      pollClient('dialect', {
        ciba_compat: true,
        ciba_compat_subject: 'person-1',
        client_secret: 'x'.repeat(32),
      }),
      pollClient('pinged', {
        backchannel_token_delivery_mode: 'ping',
        backchannel_client_notification_endpoint: 'https://client.invalid/notify',
      }),
    ],
    features: {
      ...base.features,
      ciba: { enabled: true, deliveryModes: ['poll', 'ping', 'push'] },
      registration: { enabled: true },
      claimsParameter: { enabled: true },
      requestObjects: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1) },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'opaque' as const }),
      },
      richAuthorizationRequests: { enabled: true, types: { payment: { validate: () => {} } } } as never,
    },
  }),
);

const app = express();
app.use(ciba.router(provider));
app.use(provider.callback());
const listener = createServer(ciba.accelerate(app)).listen(0, '127.0.0.1', () => {
  answerFuzzer((listener.address() as AddressInfo).port, {
    linkOf: (handle) => links.get(handle),
    advance(seconds) {
      offset += seconds * 1000;
      links.clear();
    },
  });
});
// A connection that the fuzzer has not used for a moment is no fault.
listener.keepAliveTimeout = 600_000;
