import type { Channel } from '../channels/channel.js';
import { invalidOption } from '../errors.js';
import type { CibaOptions, EncryptionOptions } from '../options.js';
import type { RedisClient } from '../store/redis-connection.js';
import {
  type Check,
  callback,
  checked,
  flag,
  group,
  isObject,
  path,
  text,
  unlessFalse,
  whole,
} from './checks.js';
import { type CompatSettings, compatSettings } from './compat.js';
import { type DeliverySettings, deliverySettings } from './delivery.js';
import { encryptionSettings } from './encryption.js';
import { type LimitSettings, limitSettings } from './limits.js';
import { type LoginHintTokenSettings, loginHintTokenSettings } from './login-hint-token.js';
import { type LongPollingSettings, longPollingSettings } from './long-polling.js';
import { type PageSettings, pageSettings } from './page.js';
import { type ReplicaSettings, replicaSettings } from './replicas.js';

/** Those that have no default. */
type Optional =
  | 'redis'
  | 'profile'
  | 'resolveLoginHint'
  | 'resolvePairwiseSubject'
  | 'verifyUserCode'
  | 'authenticateDecision'
  | 'interaction'
  | 'chain';

/** Those that are groups of options. */
type Group =
  | 'replicas'
  | 'encryption'
  | 'limits'
  | 'page'
  | 'loginHintToken'
  | 'longPolling'
  | 'delivery'
  | 'compat';

/** The options with every default in its place. */
export type Settings = {
  readonly [Key in Exclude<keyof CibaOptions, Optional | Group>]-?: Exclude<CibaOptions[Key], undefined>;
} & { readonly [Key in Optional]: CibaOptions[Key] } & {
  readonly replicas: ReplicaSettings | undefined;
  readonly encryption: EncryptionOptions | undefined;
  readonly limits: LimitSettings;
  readonly page: PageSettings;
  readonly loginHintToken: LoginHintTokenSettings | undefined;
  readonly longPolling: LongPollingSettings | undefined;
  readonly delivery: DeliverySettings;
  readonly compat: CompatSettings | undefined;
};

const DEFAULTS = {
  prefix: 'ciba',
  interval: 5,
  defaultExpiry: 300,
  maxExpiry: 600,
  retention: 600,
  replayGrace: 0,
  rememberCredentials: 60,
  requireAcr: false,
  hideUnknownUsers: false,
  decisionPath: '/ciba/requests',
  idTokenHintMaxAge: 2_592_000,
  channels: [],
  timeOffset: (): number => 0,
} as const;

/** One check an option: the compiler refuses an option that is missing here. */
const CHECKS: Readonly<Record<keyof CibaOptions, Check>> = {
  redis: (value) =>
    typeof (value as RedisClient | null)?.defineCommand === 'function' &&
    typeof (value as RedisClient).duplicate === 'function'
      ? undefined
      : 'must be an ioredis client or cluster',
  replicas: group,
  profile: (value) => (value === 'fapi-ciba' ? undefined : "must be 'fapi-ciba'"),
  prefix: text(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 . _ : -'),
  interval: whole(1, 60),
  defaultExpiry: whole(10, 86_400),
  maxExpiry: whole(10, 86_400),
  retention: whole(60, 86_400),
  replayGrace: whole(0, 60),
  rememberCredentials: whole(0, 300),
  encryption: group,
  longPolling: group,
  limits: unlessFalse(group),
  resolveLoginHint: callback,
  resolvePairwiseSubject: callback,
  verifyUserCode: callback,
  requireAcr: flag,
  hideUnknownUsers: flag,
  authenticateDecision: callback,
  decisionPath: path,
  loginHintToken: group,
  idTokenHintMaxAge: whole(60, 31_536_000),
  channels,
  chain: callback,
  interaction: callback,
  page: group,
  delivery: group,
  compat: group,
  timeOffset: callback,
};

/**
 * Checks the options once, and puts the defaults in.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function settingsOf(options: CibaOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'must be an object');
  const given = checked(options, CHECKS, '');
  const settings = {
    ...DEFAULTS,
    ...given,
    replicas: options.replicas && replicaSettings(options.replicas),
    encryption: options.encryption && encryptionSettings(options.encryption),
    limits: limitSettings(options.limits),
    page: pageSettings(options.page),
    loginHintToken: options.loginHintToken && loginHintTokenSettings(options.loginHintToken),
    longPolling: options.longPolling && longPollingSettings(options.longPolling),
    delivery: deliverySettings(options.delivery),
    compat: options.compat && compatSettings(options.compat),
  } as unknown as Settings;
  if (settings.defaultExpiry > settings.maxExpiry) {
    throw invalidOption('defaultExpiry', `must not be greater than maxExpiry (${settings.maxExpiry})`);
  }
  if (settings.replicas && !settings.redis)
    throw invalidOption('replicas', 'must be left out where requests live in memory');
  if (settings.profile && settings.compat)
    throw invalidOption('compat', 'must be left out under the profile');
  return settings;
}

/** A list of channels, each with a name of its own. */
function channels(value: unknown): string | undefined {
  const isChannel = (one: unknown): one is Channel =>
    isObject(one) &&
    /^[a-z0-9-]{1,40}$/.test(String((one as Channel).name)) &&
    typeof (one as Channel).send === 'function';
  if (!Array.isArray(value) || !value.every(isChannel))
    return 'must be a list of channels, each with a name and send()';
  return new Set(value.map(({ name }) => name)).size === value.length
    ? undefined
    : 'must be a list of channels with different names';
}
