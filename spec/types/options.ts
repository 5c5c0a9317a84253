// What may be said to `createCiba`, and what the compiler refuses.
import { Cluster, Redis } from 'ioredis';
import {
  type ChainStep,
  type CibaOptions,
  type CompatApproval,
  type CompatOptions,
  createCiba,
  type Decider,
  type DeliveryOptions,
  type EncryptionOptions,
  type InteractionContext,
  type LimitOptions,
  type LoginHintTokenIssuer,
  type LoginHintTokenOptions,
  type LongPollingOptions,
  type PageOptions,
  type PageTexts,
  type PasskeyOptions,
  type RedisClient,
  type ReplicaOptions,
  type RequestView,
  type StoredPasskey,
} from 'oidc-provider-ciba';
import type { Equal, Expect } from './equal.js';

createCiba();
createCiba({});
createCiba({ redis: new Redis(), prefix: 'op:ciba', interval: 2, resolveLoginHint: (hint) => hint });
createCiba({ redis: new Cluster([{ host: '127.0.0.1', port: 7000 }]) });

// Each may be `undefined`, as an option that was read from somewhere is.
const unset: { readonly [Name in keyof Required<CibaOptions>]: undefined } = {} as never;
createCiba(unset);

const limits: Required<LimitOptions> = {
  pendingPerAccount: 10,
  pendingPerAccountAndClient: false,
  pendingPerClient: 1_000,
  refusals: false,
  cooldown: 600,
};
const issuers: Required<LoginHintTokenIssuer>[] = [
  {
    issuer: 'https://hints.example',
    jwks: { keys: [{ kty: 'EC' }] },
    jwksUri: 'https://hints.example/jwks',
    algorithms: ['ES256'],
  },
];
const loginHintToken: Required<LoginHintTokenOptions> = {
  issuers,
  audience: 'https://op.example',
  typ: 'login-hint+jwt',
  maxAge: 120,
  resolve: async ({ sub }, ctx) => (ctx.oidc.client ? String(sub) : undefined),
};
const passkey: Required<StoredPasskey> = {
  id: 'id',
  publicKey: new Uint8Array(),
  counter: 0,
  transports: ['internal'],
};
const passkeys: Required<PasskeyOptions> = {
  of: (accountId) => (accountId === 'alice' ? [passkey] : []),
  used: async (accountId, id, counter) => [accountId, id, counter.toFixed()],
  rpId: 'op.example',
  discoverable: false,
  acr: 'urn:example:passkey',
};
const texts: Partial<PageTexts> = { approve: 'Ja' };
const page: Required<PageOptions> = {
  path: '/decide',
  baseUrl: 'https://op.example',
  passkeys,
  texts: { de: texts },
};
const delivery: Required<DeliveryOptions> = {
  worker: false,
  attempts: 3,
  notifyExpiry: true,
  allowedAddresses: ['10.0.0.0/8'],
  allowedPorts: 'any',
  allowLoopback: true,
  ca: ['pem'],
};
const replicas: Required<ReplicaOptions> = { acknowledge: 1, within: 200 };
const encryption: Required<EncryptionOptions> = { keys: [new Uint8Array(32), 'plain'] };
const longPolling: Required<LongPollingOptions> = { wait: 25, held: 100 };
const approval: Required<CompatApproval> = { secret: 'x'.repeat(22), subject: 'alice' };
const compat: Required<CompatOptions> = {
  preapproved: { 'my-client': approval },
  opEndpoints: 'verify',
  statusNotifications: false,
  allowWeakSecrets: true,
};
const decider: Required<Decider> = { accountId: 'alice', acr: 'a', amr: ['pop'], authTime: 1 };
const steps: ChainStep[] = [{ channel: 'email' }, { channel: ['sms', 'desk'], wait: 10 }];

/** All of them at once: an option that is added has to be added here. */
export const everyOption: Required<CibaOptions> = {
  profile: 'fapi-ciba',
  redis: new Redis(),
  replicas,
  prefix: 'ciba',
  encryption,
  interval: 5,
  defaultExpiry: 300,
  maxExpiry: 600,
  retention: 600,
  replayGrace: 0,
  rememberCredentials: 60,
  longPolling,
  limits,
  resolveLoginHint: async (hint, ctx) => (ctx.oidc.client?.clientId === 'till' ? hint : undefined),
  hideUnknownUsers: false,
  loginHintToken,
  idTokenHintMaxAge: 86_400,
  resolvePairwiseSubject: (subject, client) => (client.client_id === 'till' ? subject : undefined),
  verifyUserCode: (accountId, userCode) => accountId === userCode,
  requireAcr: true,
  authenticateDecision: async (req) => (req.headers.cookie ? decider : undefined),
  decisionPath: '/ciba/requests',
  channels: [{ name: 'desk', send: async () => {} }],
  chain: ({ accountId, clientId }: RequestView) => (accountId === clientId ? [] : steps),
  interaction: (_req, res, { request, returnTo, login }: InteractionContext) => {
    if (login) res.redirect(303, `/login?return=${encodeURIComponent(returnTo)}`);
    return request.status === 'pending' ? decider : undefined;
  },
  page,
  delivery,
  compat,
  timeOffset: () => 0,
};

export type Checks = [
  Expect<Equal<Parameters<typeof createCiba>[0], CibaOptions | undefined>>,
  Expect<Redis extends RedisClient ? true : false>,
  Expect<Cluster extends RedisClient ? true : false>,
];

// @ts-expect-error there is no such option
createCiba({ intervall: 5 });
// @ts-expect-error seconds are a number
createCiba({ interval: '5' });
// @ts-expect-error a URL is no client of ioredis
createCiba({ redis: 'redis://127.0.0.1' });
// @ts-expect-error the only profile is fapi-ciba
createCiba({ profile: 'fapi' });
// @ts-expect-error limits are off with false, not with true
createCiba({ limits: true });
// @ts-expect-error the cool-down cannot be off by itself
createCiba({ limits: { cooldown: false } });
// @ts-expect-error a hint leads to the id of an account
createCiba({ resolveLoginHint: (hint) => ({ accountId: hint }) });
// @ts-expect-error passkeys have to come from somewhere
createCiba({ page: { passkeys: {} } });
// @ts-expect-error the page has no such text
createCiba({ page: { texts: { de: { aprove: 'Ja' } } } });
// @ts-expect-error login hint tokens need an issuer
createCiba({ loginHintToken: { maxAge: 60 } });
// @ts-expect-error ports are numbers, or 'any'
createCiba({ delivery: { allowedPorts: 'all' } });
// @ts-expect-error a channel has a name
createCiba({ channels: [{ send: async () => {} }] });
// @ts-expect-error a step names its channel
createCiba({ chain: () => [{ wait: 20 }] });
// @ts-expect-error who decides is an account
createCiba({ authenticateDecision: () => ({ acr: 'a' }) });
// @ts-expect-error a registration that was approved has a secret
createCiba({ compat: { preapproved: { 'my-client': {} } } });
// @ts-expect-error options are read, not written
everyOption.interval = 5;
