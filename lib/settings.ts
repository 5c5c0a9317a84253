import { isIP } from 'node:net';
import type { Channel } from './channels/channel.js';
import { CibaError } from './errors.js';
import type {
  CibaOptions,
  CompatApproval,
  CompatOptions,
  DeliveryOptions,
  EncryptionOptions,
  LimitOptions,
  LoginHintTokenIssuer,
  LoginHintTokenOptions,
  LongPollingOptions,
  PageOptions,
  PasskeyOptions,
  ReplicaOptions,
} from './options.js';
import { ENGLISH, type PageTexts } from './page-texts.js';
import { keyBytes, PLAIN } from './store/encryption.js';
import type { RedisClient } from './store/redis-connection.js';

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

/** A group with every default in its place, but for those that have none. */
type Complete<Options, Without extends keyof Options = never> = {
  readonly [Key in Exclude<keyof Options, Without>]-?: Exclude<Options[Key], undefined>;
} & { readonly [Key in Without]: Options[Key] };

export type ReplicaSettings = Complete<ReplicaOptions>;
export type LimitSettings = Complete<LimitOptions>;
export type PageSettings = Complete<PageOptions, 'baseUrl' | 'passkeys'>;
export type LoginHintTokenSettings = Complete<LoginHintTokenOptions, 'audience' | 'typ' | 'resolve'>;
export type LongPollingSettings = Complete<LongPollingOptions>;
export type DeliverySettings = Complete<DeliveryOptions, 'ca'>;
export type CompatSettings = Complete<CompatOptions>;

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

const REPLICA_DEFAULTS: ReplicaSettings = { acknowledge: 1, within: 200 };

const LIMIT_DEFAULTS: LimitSettings = {
  pendingPerAccount: 10,
  pendingPerAccountAndClient: 5,
  pendingPerClient: 10_000,
  refusals: 3,
  cooldown: 600,
};

/** `limits: false`: only what a person has blocked stays so. */
const NO_LIMITS: LimitSettings = {
  pendingPerAccount: false,
  pendingPerAccountAndClient: false,
  pendingPerClient: false,
  refusals: false,
  cooldown: 600,
};

const PAGE_DEFAULTS: PageSettings = {
  path: '/ciba/decide',
  baseUrl: undefined,
  passkeys: undefined,
  texts: {},
};

const LOGIN_HINT_TOKEN_DEFAULTS = {
  audience: undefined,
  typ: undefined,
  resolve: undefined,
  maxAge: 300,
} as const;

const LONG_POLLING_DEFAULTS: LongPollingSettings = { wait: 0, held: 10_000 };

const DELIVERY_DEFAULTS: DeliverySettings = {
  worker: true,
  attempts: 20,
  notifyExpiry: false,
  allowedAddresses: [],
  allowedPorts: [443],
  allowLoopback: false,
  ca: undefined,
};

const COMPAT_DEFAULTS: CompatSettings = {
  preapproved: {},
  opEndpoints: 'drop',
  statusNotifications: true,
  allowWeakSecrets: false,
};

/** How many characters of base64url hold 128 bits. */
export const LEAST_SECRET = 22;

type Check = (value: unknown) => string | undefined;

const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`;
const callback: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const list =
  (member: (value: unknown) => boolean, sentence: string): Check =>
  (value) =>
    Array.isArray(value) && value.every(member) ? undefined : sentence;
const text =
  (form: RegExp, sentence: string): Check =>
  (value) =>
    typeof value === 'string' && form.test(value) ? undefined : sentence;

const path = text(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /ciba/requests');
const words = text(/^\S(?:.{0,254}\S)?$/, 'must be a text of 1 to 256 characters');
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const group: Check = (value) => (isObject(value) ? undefined : 'must be an object');
/** A check that also lets `false` pass. */
const unlessFalse =
  (check: Check): Check =>
  (value) => {
    const wrong = value === false ? undefined : check(value);
    return wrong && `${wrong}, or false`;
  };
const url =
  (form: RegExp, sentence: string): Check =>
  (value) =>
    typeof value === 'string' && URL.canParse(value) && form.test(value) ? undefined : sentence;

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
  channels: channels,
  chain: callback,
  interaction: callback,
  page: group,
  delivery: group,
  compat: group,
  timeOffset: callback,
};

const REPLICA_CHECKS: Readonly<Record<keyof ReplicaOptions, Check>> = {
  acknowledge: whole(1, 5),
  within: whole(10, 500),
};

const LIMIT_CHECKS: Readonly<Record<keyof LimitOptions, Check>> = {
  pendingPerAccount: unlessFalse(whole(1, 1_000)),
  pendingPerAccountAndClient: unlessFalse(whole(1, 1_000)),
  pendingPerClient: unlessFalse(whole(1, 1_000_000)),
  refusals: unlessFalse(whole(1, 100)),
  cooldown: whole(10, 86_400),
};

const ENCRYPTION_CHECKS: Readonly<Record<keyof EncryptionOptions, Check>> = {
  keys: (value) =>
    Array.isArray(value) &&
    value.every((key) => key === PLAIN || keyBytes(key)) &&
    value.some((key) => key !== PLAIN)
      ? undefined
      : `must be a list of keys, each 32 bytes or their 43 characters of base64url, or '${PLAIN}' beside one`,
};

const PAGE_CHECKS: Readonly<Record<keyof PageOptions, Check>> = {
  path,
  baseUrl: url(/^https?:\/\/[^?#]+$/, 'must be an http or https URL without a query'),
  passkeys: group,
  texts: (value) =>
    isObject(value) && Object.entries(value).every(([tag, texts]) => isLanguage(tag) && isObject(texts))
      ? undefined
      : 'must be an object of texts by language tag',
};

const PASSKEY_CHECKS: Readonly<Record<keyof PasskeyOptions, Check>> = {
  of: callback,
  used: callback,
  rpId: words,
  discoverable: flag,
  acr: words,
};

const LOGIN_HINT_TOKEN_CHECKS: Readonly<Record<keyof LoginHintTokenOptions, Check>> = {
  issuers: (value) =>
    Array.isArray(value) && value.length > 0 && value.every(isObject)
      ? undefined
      : 'must be a list of at least one issuer',
  audience: words,
  typ: words,
  maxAge: whole(10, 86_400),
  resolve: callback,
};

const ISSUER_CHECKS: Readonly<Record<keyof LoginHintTokenIssuer, Check>> = {
  issuer: words,
  jwks: (value) =>
    isObject(value) && Array.isArray((value as { keys?: unknown }).keys)
      ? undefined
      : 'must be an object with a list of keys',
  jwksUri: url(/^https:/, 'must be an https URL'),
  algorithms: list(
    (one) => /^(ES(256|384|512)|PS(256|384|512)|RS(256|384|512)|EdDSA|Ed25519)$/.test(String(one)),
    'must be a list of asymmetric signature algorithms',
  ),
};

const LONG_POLLING_CHECKS: Readonly<Record<keyof LongPollingOptions, Check>> = {
  wait: whole(0, 30),
  held: whole(1, 100_000),
};

const DELIVERY_CHECKS: Readonly<Record<keyof DeliveryOptions, Check>> = {
  worker: flag,
  attempts: whole(1, 100),
  notifyExpiry: flag,
  allowedAddresses: list(isAddressRange, 'must be a list of addresses and ranges such as 10.1.0.0/16'),
  allowedPorts: (value) =>
    value === 'any'
      ? undefined
      : list((port) => whole(1, 65_535)(port) === undefined, "must be a list of ports, or 'any'")(value),
  allowLoopback: flag,
  ca: (value) => {
    const pem = (one: unknown): boolean =>
      typeof one === 'string' && one.includes('-----BEGIN CERTIFICATE-----');
    return pem(value) ? undefined : list(pem, 'must be a certificate in PEM form, or a list of them')(value);
  },
};

const COMPAT_CHECKS: Readonly<Record<keyof CompatOptions, Check>> = {
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

/**
 * Checks the options once, and puts the defaults in.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function settingsOf(options: CibaOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'must be an object');
  const given = checked(options, CHECKS, '');
  const limits =
    options.limits === false ? NO_LIMITS : complete('limits', options.limits, LIMIT_DEFAULTS, LIMIT_CHECKS);
  const settings = {
    ...DEFAULTS,
    ...given,
    replicas: options.replicas && complete('replicas', options.replicas, REPLICA_DEFAULTS, REPLICA_CHECKS),
    encryption: options.encryption && encryptionSettings(options.encryption),
    limits,
    page: pageSettings(options.page),
    loginHintToken: options.loginHintToken && loginHintTokenSettings(options.loginHintToken),
    longPolling:
      options.longPolling &&
      complete('longPolling', options.longPolling, LONG_POLLING_DEFAULTS, LONG_POLLING_CHECKS),
    delivery: complete('delivery', options.delivery, DELIVERY_DEFAULTS, DELIVERY_CHECKS),
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

/** What decides where messages may go, as {@link DeliveryOptions} has it. */
export type OutgoingOptions = Pick<
  DeliveryOptions,
  'allowedAddresses' | 'allowedPorts' | 'allowLoopback' | 'ca'
>;

/**
 * The rules for a channel's messages, checked, with the defaults of `delivery`; other options of the channel are left alone.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function outgoingSettings(channel: string, options: OutgoingOptions): Complete<OutgoingOptions, 'ca'> {
  const { allowedAddresses, allowedPorts, allowLoopback, ca } = options;
  const given = { allowedAddresses, allowedPorts, allowLoopback, ca };
  const {
    worker: _,
    attempts: __,
    notifyExpiry: ___,
    ...rules
  } = {
    ...DELIVERY_DEFAULTS,
    ...checked(given, DELIVERY_CHECKS, `${channel}.`),
  };
  return rules;
}

function encryptionSettings(options: EncryptionOptions): EncryptionOptions {
  checked(options, ENCRYPTION_CHECKS, 'encryption.');
  if (options.keys === undefined) throw invalidOption('encryption.keys', 'must be a list of keys');
  return options;
}

function pageSettings(options: PageOptions | undefined): PageSettings {
  const { passkeys } = options ?? {};
  if (passkeys !== undefined) {
    if (!isObject(passkeys)) throw invalidOption('page.passkeys', 'must be an object');
    checked(passkeys, PASSKEY_CHECKS, 'page.passkeys.');
    if (passkeys.of === undefined) throw invalidOption('page.passkeys.of', 'must be a function');
  }
  const settings = complete('page', options, PAGE_DEFAULTS, PAGE_CHECKS);
  for (const [tag, texts] of Object.entries(settings.texts)) checkTexts(`page.texts.${tag}`, texts);
  return settings;
}

/** A text that the page does not have would be missed by nobody but whoever wrote it. */
function checkTexts(path: string, texts: object): void {
  for (const [name, text] of Object.entries(texts)) {
    if (!Object.hasOwn(ENGLISH, name)) throw invalidOption(`${path}.${name}`, 'is not a text of the page');
    const group = isObject(ENGLISH[name as keyof PageTexts]);
    const words = group && isObject(text) ? Object.values(text) : [group ? undefined : text];
    if (!words.every((word) => typeof word === 'string')) {
      throw invalidOption(`${path}.${name}`, group ? 'must be an object of texts' : 'must be a text');
    }
  }
}

function loginHintTokenSettings(options: LoginHintTokenOptions): LoginHintTokenSettings {
  const settings = complete('loginHintToken', options, LOGIN_HINT_TOKEN_DEFAULTS, LOGIN_HINT_TOKEN_CHECKS);
  const { issuers } = settings as LoginHintTokenSettings;
  if (!issuers) throw invalidOption('loginHintToken.issuers', 'must be a list of at least one issuer');
  for (const [index, issuer] of issuers.entries()) {
    const at = `loginHintToken.issuers[${index}]`;
    checked(issuer, ISSUER_CHECKS, `${at}.`);
    if (issuer.issuer === undefined)
      throw invalidOption(`${at}.issuer`, 'must be a text of 1 to 256 characters');
    if ((issuer.jwks === undefined) === (issuer.jwksUri === undefined)) {
      throw invalidOption(at, 'must have either jwks or jwksUri');
    }
  }
  return settings as LoginHintTokenSettings;
}

function compatSettings(options: CompatOptions): CompatSettings {
  const settings = complete('compat', options, COMPAT_DEFAULTS, COMPAT_CHECKS);
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

/** A group of options, checked, with its defaults. */
function complete<Defaults extends object>(
  name: string,
  options: object | undefined,
  defaults: Defaults,
  checks: Readonly<Record<string, Check>>,
): Defaults {
  return { ...defaults, ...checked(options ?? {}, checks, `${name}.`) };
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

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

function isAddressRange(value: unknown): boolean {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(String(value)) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}

/** What is given of a group of options, each checked. */
function checked(group: object, checks: Readonly<Record<string, Check>>, path: string): object {
  const given = Object.entries(group).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) throw invalidOption(`${path}${name}`, 'is not an option of createCiba');
    const wrong = check(value);
    if (wrong) throw invalidOption(`${path}${name}`, wrong);
  }
  return Object.fromEntries(given);
}

/** The error for a wrong option, with the option's path first. */
export function invalidOption(path: string, sentence: string): CibaError {
  return new CibaError('invalid_option', `${path} ${sentence}`);
}
