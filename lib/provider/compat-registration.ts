import { randomBytes } from 'node:crypto';
import type { ClientMetadata, KoaContextWithOIDC } from 'oidc-provider';
import { invalidOption } from '../errors.js';
import type { Settings } from '../settings/settings.js';
import { compatProblem, messageOf } from './compat.js';

/** What `features.registration` may hold of the server's own. */
interface Registration {
  readonly enabled?: boolean;
  readonly idFactory?: (ctx: KoaContextWithOIDC) => string;
  readonly secretFactory?: (ctx: KoaContextWithOIDC) => string | Promise<string>;
}

/** `features.registration`, whose clients get the id and the secret that were approved for them; all others what they got before. */
export function approvedRegistration(features: unknown, { compat }: Settings): object {
  const { registration } = (features ?? {}) as { registration?: Registration };
  if (!compat || Object.keys(compat.preapproved).length === 0) return {};
  if (registration?.enabled !== true)
    throw invalidOption('features.registration.enabled', 'must be true with compat.preapproved');
  const {
    idFactory = () => randomBytes(16).toString('base64url'),
    secretFactory = () => randomBytes(64).toString('base64url'),
  } = registration;
  const extended: Registration = {
    ...registration,
    idFactory: (ctx) => messageOf(ctx.req)?.registration?.clientId ?? idFactory(ctx),
    secretFactory: async (ctx) => messageOf(ctx.req)?.registration?.secret ?? (await secretFactory(ctx)),
  };
  return { registration: extended };
}

/** The server's own clients of the dialect are looked at when it starts, and not when the first request comes. */
export function checkCompatClients(clients: readonly ClientMetadata[] = [], settings: Settings): void {
  for (const client of clients) {
    const wrong = compatProblem(client, false, settings);
    if (wrong) throw invalidOption(`clients[${client.client_id}]`, `is not right: ${wrong}`);
  }
}
