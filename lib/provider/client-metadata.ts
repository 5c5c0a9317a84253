import { type Client, type ClientMetadata, type Configuration, errors } from 'oidc-provider';
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

/**
 * Adds the plugin's client metadata and its rules for CIBA clients to what the server already has. `isForeign` tells the clients
 * whose metadata nobody of the server's has looked at.
 */
export function extendClientMetadata(
  theirs: ExtraClientMetadata | undefined,
  settings: Settings,
  userCodes: boolean,
  isForeign: (clientId: string | undefined) => boolean,
): ExtraClientMetadata {
  const ours: ReadonlySet<string> = new Set(SETTINGS);
  return {
    properties: [...SETTINGS, ...(theirs?.properties ?? []).filter((name) => !ours.has(name))],
    // Theirs is returned as it is: oidc-provider refuses a validator that returns a promise.
    validator(ctx, key, value, metadata): undefined {
      if (!ours.has(key)) return theirs?.validator?.(ctx, key, value, metadata) as undefined;
      const registersItself = ctx !== undefined || isForeign(metadata.client_id);
      // The validator is called once a property; what concerns the client as a whole is done at the first.
      if (key === SETTINGS[0]) checkCibaClient(metadata, registersItself, userCodes);
      checkSetting(key as Setting, value, registersItself ? selfServiceRange : administratorRange, settings);
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

function checkCibaClient(metadata: ClientMetadata, registersItself: boolean, userCodes: boolean): void {
  if (!metadata.grant_types?.includes(CIBA_GRANT)) return;
  // A client from before the plugin goes on with its other grants: there, its requests for CIBA are refused one by one.
  if (registersItself && metadata.token_endpoint_auth_method === 'none') {
    refuse('token_endpoint_auth_method must not be none for a client that uses CIBA'); // CIBA Core 4, 7.1
  }
  if (registersItself && metadata.backchannel_user_code_parameter === true && !userCodes) {
    refuse('backchannel_user_code_parameter is not supported by this server');
  }
  // The example of CIBA Core 4 names neither: a client that only asks here has no redirect flow, whatever the default is.
  const noRedirects =
    metadata.redirect_uris === undefined && !metadata.grant_types.includes('authorization_code');
  if (noRedirects && metadata.response_types?.join() === 'code') metadata.response_types = [];
}

type Range = (key: Setting, settings: Settings) => readonly [least: number, most: number];

function checkSetting(key: Setting, value: unknown, range: Range, settings: Settings): void {
  if (value === undefined) return;
  const [least, most] = range(key, settings);
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    refuse(`${key} must be a whole number of seconds from ${least} to ${most}`);
  }
}

const administratorRange: Range = (key) => RANGES[key];

/** A client that registers itself may only be stricter than the server is. */
const selfServiceRange: Range = (key, settings) => {
  const [least, most] = RANGES[key];
  return key === 'ciba_polling_interval' ? [settings.interval, most] : [least, settings.maxExpiry];
};

function refuse(description: string): never {
  throw new errors.InvalidClientMetadata(description);
}
