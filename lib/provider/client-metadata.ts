import {
  type Client,
  type ClientMetadata,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { Settings } from '../options.js';
import { CIBA_GRANT } from './names.js';

type ExtraClientMetadata = NonNullable<Configuration['extraClientMetadata']>;
type Setting = 'ciba_polling_interval' | 'ciba_default_expiry' | 'ciba_max_expiry';

/** The plugin's own client metadata, in seconds, with the range an administrator may set. */
const RANGES: Readonly<Record<Setting, readonly [least: number, most: number]>> = {
  ciba_polling_interval: [1, 60],
  ciba_default_expiry: [10, 86_400],
  ciba_max_expiry: [10, 86_400],
};
const SETTINGS = Object.keys(RANGES) as Setting[];

/** Adds the plugin's client metadata and its rules for CIBA clients to what the server already has. */
export function extendClientMetadata(
  theirs: ExtraClientMetadata | undefined,
  settings: Settings,
  userCodes: boolean,
): ExtraClientMetadata {
  const ours: ReadonlySet<string> = new Set(SETTINGS);
  return {
    properties: [...SETTINGS, ...(theirs?.properties ?? []).filter((name) => !ours.has(name))],
    validator(ctx, key, value, metadata): void {
      // The validator is called once a property; what concerns the client as a whole is done at the first.
      if (key === SETTINGS[0]) checkCibaClient(metadata, userCodes);
      if (ours.has(key)) checkSetting(ctx, key as Setting, value, settings);
      else theirs?.validator?.(ctx, key, value, metadata);
    },
  };
}

/** Least time between two polls of this client, in seconds. */
export function intervalOf(client: Client | undefined, settings: Settings): number {
  return (client?.['ciba_polling_interval'] as number | undefined) ?? settings.interval;
}

/** Life of a request of this client, in seconds, of what it asks for and of what the server gives by default. */
export function expiryOf(
  client: Client | undefined,
  requested: number | undefined,
  fallback: number,
  settings: Settings,
): number {
  const most = client?.['ciba_max_expiry'] as number | undefined;
  const usual = (client?.['ciba_default_expiry'] as number | undefined) ?? fallback;
  if (requested !== undefined) return Math.min(requested, most ?? settings.maxExpiry);
  return Math.min(usual, most ?? usual);
}

function checkCibaClient(metadata: ClientMetadata, userCodes: boolean): void {
  if (!metadata.grant_types?.includes(CIBA_GRANT)) return;
  if (metadata.token_endpoint_auth_method === 'none') {
    refuse('token_endpoint_auth_method must not be none for a client that uses CIBA'); // CIBA Core 4, 7.1
  }
  if (metadata.backchannel_user_code_parameter === true && !userCodes) {
    refuse('backchannel_user_code_parameter is not supported by this server');
  }
  // The example of CIBA Core 4 names neither: a client that only asks here has no redirect flow, whatever the default is.
  if (metadata.redirect_uris === undefined && !metadata.grant_types.includes('authorization_code')) {
    metadata.response_types = [];
  }
}

function checkSetting(
  ctx: KoaContextWithOIDC | undefined,
  key: Setting,
  value: unknown,
  settings: Settings,
): void {
  if (value === undefined) return;
  const [least, most] = ctx ? selfServiceRange(key, settings) : RANGES[key];
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    refuse(`${key} must be a whole number of seconds from ${least} to ${most}`);
  }
}

/** A client that registers itself may only be stricter than the server is. */
function selfServiceRange(key: Setting, settings: Settings): readonly [number, number] {
  const [least, most] = RANGES[key];
  return key === 'ciba_polling_interval' ? [settings.interval, most] : [least, settings.maxExpiry];
}

function refuse(description: string): never {
  throw new errors.InvalidClientMetadata(description);
}
