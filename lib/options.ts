import { isIP } from 'node:net';
import type { Request } from 'express';
import type { ClientMetadata, KoaContextWithOIDC } from 'oidc-provider';
import { CibaError } from './errors.js';
import type { RedisClient } from './store/redis-connection.js';

/** Who is asking the decision endpoints, as the server's own authentication of them found. */
export interface Decider {
  /** The account that is signed in. */
  readonly accountId: string;
  /** Authentication context class reached, for the ID Token's `acr` (OIDC Core 2). */
  readonly acr?: string | undefined;
  /** Authentication methods used, for the ID Token's `amr` (OIDC Core 2). */
  readonly amr?: readonly string[] | undefined;
  /** When the person authenticated, in seconds since the epoch, for the ID Token's `auth_time` (OIDC Core 2). */
  readonly authTime?: number | undefined;
}

/** How clients registered for ping or push are told; see {@link CibaOptions.delivery}. All may be left out. */
export interface DeliveryOptions {
  /**
   * Whether this process delivers what is due. With `false` it only records it, for processes that run `ciba.worker(provider)`.
   * Default `true`.
   */
  readonly worker?: boolean | undefined;
  /**
   * How often a notification is sent at most, where the client's endpoint fails for a reason that may pass. 1 to 100. Default 20.
   * It also ends with the request, whichever comes first.
   */
  readonly attempts?: number | undefined;
  /**
   * Whether clients are told when a request expires undecided (CIBA Core 10.2, 12): a ping, or `expired_token` by push. Default
   * `false`.
   */
  readonly notifyExpiry?: boolean | undefined;
  /**
   * Addresses and ranges that notifications may go to although they are not on the public Internet, such as `10.1.0.0/16` or
   * `fd00::/8`. With any, names such as `till.shop.internal` may be registered, too. Default none.
   */
  readonly allowedAddresses?: readonly string[] | undefined;
  /** Ports that notification endpoints may have, or `'any'`. Default `[443]`. */
  readonly allowedPorts?: readonly number[] | 'any' | undefined;
  /**
   * Development only: notification endpoints may be on this machine's loopback interface, on any port, and there with `http`
   * as well (`http` for clients in `config.clients` only). Default `false`.
   */
  readonly allowLoopback?: boolean | undefined;
  /** Certificates, PEM, trusted for notification endpoints instead of Node's. Default: what Node trusts. */
  readonly ca?: string | readonly string[] | undefined;
}

/** The options of {@link createCiba}. All may be left out. */
export interface CibaOptions {
  /**
   * An ioredis client or cluster that says where the store is; the plugin opens connections of its own to it, with bounded
   * times. Default: none, requests live in the memory of this process, which is for development.
   */
  readonly redis?: RedisClient | undefined;
  /** What every Redis key begins with; give each issuer its own. 1 to 64 characters of `A-Za-z0-9._:-`. Default `ciba`. */
  readonly prefix?: string | undefined;
  /**
   * Least time between two polls, in seconds, told in the acknowledgement (CIBA Core 7.3). 1 to 60. Default 5. A client's
   * `ciba_polling_interval` goes before it.
   */
  readonly interval?: number | undefined;
  /**
   * Life of a request, in seconds, where the client does not ask for one. 10 to 86400, at most `maxExpiry`. Default 300. A
   * client's `ciba_default_expiry` and the provider's `ttl.BackchannelAuthenticationRequest` go before it.
   */
  readonly defaultExpiry?: number | undefined;
  /**
   * Longest life that a client may ask for, in seconds: a longer `requested_expiry` is cut to it, and the acknowledgement says
   * so (CIBA Core 7.1). 10 to 86400. Default 600. A client's `ciba_max_expiry` goes before it.
   */
  readonly maxExpiry?: number | undefined;
  /**
   * How long the outcome of an ended request is still told (`expired_token`, `access_denied`), in seconds. 60 to 86400.
   * Default 600.
   */
  readonly retention?: number | undefined;
  /**
   * How many requests of one account may be pending at a time, or `false` for any number. 1 to 1000. Default 10. One more is
   * refused with 403 `access_denied` and reaches nobody (CIBA Core 13, 14).
   */
  readonly pendingPerAccount?: number | false | undefined;
  /**
   * Finds the account of a `login_hint` (CIBA Core 7.1). Return nothing for an unknown one, which is then answered
   * `unknown_user_id`; throw an oidc-provider error for any other answer. Default: `login_hint` is refused.
   */
  readonly resolveLoginHint?:
    | ((hint: string, ctx: KoaContextWithOIDC) => Promise<string | undefined> | string | undefined)
    | undefined;
  /**
   * Finds the account behind a pairwise subject, for an `id_token_hint` of a client with `subject_type` `pairwise` (CIBA Core
   * 15). Default: such hints are answered `unknown_user_id`.
   */
  readonly resolvePairwiseSubject?:
    | ((subject: string, client: ClientMetadata) => Promise<string | undefined> | string | undefined)
    | undefined;
  /**
   * Says whether a `user_code` is the account's (CIBA Core 7.1.2). It is asked only for clients registered with
   * `backchannel_user_code_parameter`, before anybody is prompted. Default: none, and discovery says that user codes are not
   * supported.
   */
  readonly verifyUserCode?: ((accountId: string, userCode: string) => Promise<boolean> | boolean) | undefined;
  /**
   * Whether an approval must have reached one of the `acr_values` that the client asked for. Default `false`: they are a
   * preference (OIDC Core 3.1.2.1), and `request.approved` says whether it was met. An essential `acr` claim is always
   * insisted on.
   */
  readonly requireAcr?: boolean | undefined;
  /**
   * Says who is asking the decision endpoints, or nothing for nobody, which is answered 401. Default: none, and the endpoints
   * are not mounted. A browser session may be what it looks at: the endpoints take decisions only as `application/json`, which
   * no other site's form can send.
   */
  readonly authenticateDecision?:
    | ((req: Request) => Promise<Decider | undefined> | Decider | undefined)
    | undefined;
  /** Where the router mounts the decision endpoints. A path that begins with `/`. Default `/ciba/requests`. */
  readonly decisionPath?: string | undefined;
  /** How clients registered for ping or push are told (CIBA Core 10.2, 10.3), one by one below. Default: each its own. */
  readonly delivery?: DeliveryOptions | undefined;
  /**
   * Milliseconds added to the store's clock, asked at each step: with it, tests move time instead of waiting for it. Default
   * `() => 0`.
   */
  readonly timeOffset?: (() => number) | undefined;
}

type Optional =
  | 'redis'
  | 'resolveLoginHint'
  | 'resolvePairwiseSubject'
  | 'verifyUserCode'
  | 'authenticateDecision';

/** The options with every default in its place. */
export type Settings = {
  readonly [Key in Exclude<keyof CibaOptions, Optional | 'delivery'>]-?: Exclude<CibaOptions[Key], undefined>;
} & { readonly [Key in Optional]: CibaOptions[Key] } & { readonly delivery: DeliverySettings };

/** {@link DeliveryOptions} with every default in its place. */
export type DeliverySettings = {
  readonly [Key in Exclude<keyof DeliveryOptions, 'ca'>]-?: Exclude<DeliveryOptions[Key], undefined>;
} & { readonly ca: DeliveryOptions['ca'] };

const DEFAULTS = {
  prefix: 'ciba',
  interval: 5,
  defaultExpiry: 300,
  maxExpiry: 600,
  retention: 600,
  pendingPerAccount: 10,
  requireAcr: false,
  decisionPath: '/ciba/requests',
  timeOffset: (): number => 0,
} as const;

const DELIVERY_DEFAULTS: DeliverySettings = {
  worker: true,
  attempts: 20,
  notifyExpiry: false,
  allowedAddresses: [],
  allowedPorts: [443],
  allowLoopback: false,
  ca: undefined,
};

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

/** One check an option: the compiler refuses an option that is missing here. */
const CHECKS: Readonly<Record<keyof CibaOptions, Check>> = {
  redis: (value) =>
    typeof (value as RedisClient | null)?.defineCommand === 'function' &&
    typeof (value as RedisClient).duplicate === 'function'
      ? undefined
      : 'must be an ioredis client or cluster',
  prefix: text(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 . _ : -'),
  interval: whole(1, 60),
  defaultExpiry: whole(10, 86_400),
  maxExpiry: whole(10, 86_400),
  retention: whole(60, 86_400),
  pendingPerAccount: (value) =>
    value === false || whole(1, 1_000)(value) === undefined
      ? undefined
      : 'must be a whole number from 1 to 1000, or false',
  resolveLoginHint: callback,
  resolvePairwiseSubject: callback,
  verifyUserCode: callback,
  requireAcr: flag,
  authenticateDecision: callback,
  decisionPath: text(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /ciba/requests'),
  delivery: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object',
  timeOffset: callback,
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

/**
 * Checks the options once, and puts the defaults in.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function settingsOf(options: CibaOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'must be an object');
  const given = checked(options, CHECKS, '');
  const delivery = { ...DELIVERY_DEFAULTS, ...checked(options.delivery ?? {}, DELIVERY_CHECKS, 'delivery.') };
  const settings = { ...DEFAULTS, ...given, delivery } as Settings;
  if (settings.defaultExpiry > settings.maxExpiry) {
    throw invalidOption('defaultExpiry', `must not be greater than maxExpiry (${settings.maxExpiry})`);
  }
  return settings;
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
