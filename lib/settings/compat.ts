import { invalidOption } from '../errors.js';
import type { CompatApproval, CompatOptions } from '../options.js';
import { type Check, type Complete, checked, complete, flag, isObject, text, words } from './checks.js';

export type CompatSettings = Complete<CompatOptions>;

const DEFAULTS: CompatSettings = {
  preapproved: {},
  opEndpoints: 'drop',
  statusNotifications: true,
  allowWeakSecrets: false,
};

/** How many characters of base64url hold 128 bits. */
export const LEAST_SECRET = 22;

const CHECKS: Readonly<Record<keyof CompatOptions, Check>> = {
  preapproved: (value) =>
    isObject(value) && Object.values(value).every(isObject)
      ? undefined
      : 'must be an object of approvals by client_id',
  opEndpoints: (value) => (value === 'drop' || value === 'verify' ? undefined : "must be 'drop' or 'verify'"),
  statusNotifications: flag,
  allowWeakSecrets: flag,
};

const APPROVAL_CHECKS: Readonly<Record<keyof CompatApproval, Check>> = {
  secret: text(/^[\x20-\x7e]{1,256}$/, 'must be a text of 1 to 256 printable ASCII characters'),
  subject: words,
};

export function compatSettings(options: CompatOptions): CompatSettings {
  const settings = complete('compat', options, DEFAULTS, CHECKS);
  for (const [clientId, approval] of Object.entries(settings.preapproved)) {
    const at = `compat.preapproved.${clientId}`;
    checked(approval, APPROVAL_CHECKS, `${at}.`);
    if (approval.secret === undefined) throw invalidOption(`${at}.secret`, 'must be given');
    if (isWeakSecret(approval.secret, settings)) {
      throw invalidOption(`${at}.secret`, `must have at least ${LEAST_SECRET} characters, 128 bits`);
    }
  }
  return settings;
}

/** Whether a secret is too short for a client whose messages `compat` takes. */
export function isWeakSecret(secret: string, { allowWeakSecrets }: CompatSettings): boolean {
  return !allowWeakSecrets && secret.length < LEAST_SECRET;
}
