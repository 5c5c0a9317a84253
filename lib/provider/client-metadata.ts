import type { Client, Configuration } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import { LOOPBACK_ENDPOINT } from './client-endpoint.js';
import { type ClientRules, checkCibaClient, refuse } from './client-rules.js';
import { COMPAT, COMPAT_SUBJECT, compatProblem } from './compat.js';
import { LONG_POLLING, LONGEST_WAIT } from './long-polling.js';
import { FAPI, PROFILE } from './profile.js';

type ExtraClientMetadata = NonNullable<Configuration['extraClientMetadata']>;
type Setting = 'ciba_polling_interval' | 'ciba_default_expiry' | 'ciba_max_expiry' | typeof LONG_POLLING;

/** The plugin's own client metadata, in seconds, with the range an administrator may set. */
const RANGES: Readonly<Record<Setting, readonly [least: number, most: number]>> = {
  ciba_polling_interval: [1, 60],
  ciba_default_expiry: [10, 86_400],
  ciba_max_expiry: [10, 86_400],
  [LONG_POLLING]: [0, LONGEST_WAIT],
};
const SETTINGS = Object.keys(RANGES) as Setting[];

/** Client metadata: whether an approval must come with the number on the client's screen. */
export const NUMBER_MATCHING = 'ciba_number_matching';

/** Adds the plugin's client metadata and its rules for CIBA clients to what the server already has. */
export function extendClientMetadata(
  theirs: ExtraClientMetadata | undefined,
  rules: ClientRules,
): ExtraClientMetadata {
  const ours: ReadonlySet<string> = new Set([
    ...SETTINGS,
    PROFILE,
    NUMBER_MATCHING,
    LOOPBACK_ENDPOINT,
    COMPAT,
    COMPAT_SUBJECT,
  ]);
  return {
    properties: [...ours, ...(theirs?.properties ?? []).filter((name) => !ours.has(name))],
    // Theirs is returned as it is: oidc-provider refuses a validator that returns a promise.
    validator(ctx, key, value, metadata): undefined {
      if (!ours.has(key)) return theirs?.validator?.(ctx, key, value, metadata) as undefined;
      const author = rules.authorOf(ctx, metadata.client_id);
      if (key === LOOPBACK_ENDPOINT) {
        if (author === 'client' && value !== undefined) refuse(`${key} cannot be registered`);
        return;
      }
      if (key === COMPAT || key === COMPAT_SUBJECT) {
        const wrong = key === COMPAT && compatProblem(metadata, author === 'client', rules.settings);
        if (wrong) refuse(wrong);
        return;
      }
      if (key === PROFILE) {
        if (value !== undefined && value !== FAPI) refuse(`${key} must be ${FAPI}`);
        return;
      }
      if (key === NUMBER_MATCHING) {
        if (value !== undefined && typeof value !== 'boolean') refuse(`${key} must be true or false`);
        return;
      }
      // The validator is called once a property; what concerns the client as a whole is done at the first.
      if (key === SETTINGS[0]) checkCibaClient(metadata, author, rules);
      checkSetting(
        key as Setting,
        value,
        author === 'client' ? selfServiceRange : administratorRange,
        rules.settings,
      );
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

type Range = (key: Setting, settings: Settings) => readonly [least: number, most: number];

function checkSetting(key: Setting, value: unknown, range: Range, settings: Settings): void {
  if (value === undefined) return;
  const [least, most] = range(key, settings);
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    refuse(`${key} must be a whole number of seconds from ${least} to ${most}`);
  }
}

const administratorRange: Range = (key) => RANGES[key];

/** A client that registers itself may only be stricter than the server is; how long it waits is its own affair. */
const selfServiceRange: Range = (key, settings) => {
  const [least, most] = RANGES[key];
  if (key === LONG_POLLING) return [least, most];
  return key === 'ciba_polling_interval' ? [settings.interval, most] : [least, settings.maxExpiry];
};
