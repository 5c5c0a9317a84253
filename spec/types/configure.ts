// How a provider is made with the plugin, and the plugin tied to it.
import { createServer, type RequestListener } from 'node:http';
import express, { type Router } from 'express';
import Provider, { type Configuration } from 'oidc-provider';
import {
  type Ciba,
  type CibaFeature,
  type CibaWorker,
  type ConfigurationWithCiba,
  createCiba,
} from 'oidc-provider-ciba';
import type { Equal, Expect } from './equal.js';

const ciba: Ciba = createCiba();

// Nothing but the flag is needed; a Set and a list will do; hooks that the server has stay its own.
const least: Configuration = ciba.configure({ features: { ciba: { enabled: true } } });
ciba.configure({});
ciba.configure({ features: { ciba: { enabled: false } } });
ciba.configure({ features: { ciba: { enabled: true, deliveryModes: new Set(['poll', 'push'] as const) } } });
const feature: CibaFeature = {
  enabled: true,
  deliveryModes: ['poll', 'ping', 'push'],
  processLoginHint: async (_ctx, hint) => hint,
  triggerAuthenticationDevice: async (_ctx, request, account, client) =>
    void [request.jti, account.accountId, client.clientId],
};
const config: ConfigurationWithCiba = {
  clients: [
    {
      client_id: 'till',
      client_secret: 'secret',
      grant_types: ['urn:openid:params:grant-type:ciba'],
      redirect_uris: [],
      response_types: [],
      backchannel_token_delivery_mode: 'poll',
      ciba_polling_interval: 2,
    },
  ],
  findAccount: async (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  cookies: { keys: ['key'] },
  features: { ciba: feature, dPoP: { enabled: true }, devInteractions: { enabled: false } },
};
const provider = new Provider('https://op.example', ciba.configure(config));

const app = express();
app.use('/oidc', ciba.router(provider));
app.use('/oidc', provider.callback());
const accelerated: RequestListener = ciba.accelerate(app);
createServer(accelerated);
createServer(ciba.accelerate((_req, res) => void res.end()));

const worker: CibaWorker = ciba.worker(provider);

export const closing: Promise<void>[] = [worker.close(), ciba.close()];

export type Checks = [
  Expect<Equal<ReturnType<Ciba['router']>, Router>>,
  Expect<Equal<ReturnType<Ciba['configure']>, Configuration>>,
  Expect<Equal<typeof least, Configuration>>,
];

// @ts-expect-error there is no such mode
ciba.configure({ features: { ciba: { enabled: true, deliveryModes: ['pull'] } } });
// @ts-expect-error the flag is a boolean
ciba.configure({ features: { ciba: { enabled: 'yes' } } });
// @ts-expect-error there is no such hook
ciba.configure({ features: { ciba: { enabled: true, processHint: async () => 'alice' } } });
// @ts-expect-error what else is configured is oidc-provider's, and held to its types
ciba.configure({ findAccount: 'alice', features: { ciba: { enabled: true } } });
// @ts-expect-error the router wants the provider, not its configuration
ciba.router(config);
// @ts-expect-error the provider has to be there
ciba.router();
// @ts-expect-error the parts of a ciba are not replaced
ciba.requests = createCiba().requests;
