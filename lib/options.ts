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
  readonly [Key in Exclude<keyof CibaOptions, Optional>]-?: Exclude<CibaOptions[Key], undefined>;
} & { readonly [Key in Optional]: CibaOptions[Key] };

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

type Check = (value: unknown) => string | undefined;

const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`;
const callback: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
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
  timeOffset: callback,
};

/**
 * Checks the options once, and puts the defaults in.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function settingsOf(options: CibaOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'must be an object');
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(CHECKS, name)) throw invalidOption(name, 'is not an option of createCiba');
    const wrong = CHECKS[name as keyof CibaOptions](value);
    if (wrong) throw invalidOption(name, wrong);
  }
  const settings = { ...DEFAULTS, ...Object.fromEntries(given) } as Settings;
  if (settings.defaultExpiry > settings.maxExpiry) {
    throw invalidOption('defaultExpiry', `must not be greater than maxExpiry (${settings.maxExpiry})`);
  }
  return settings;
}

/** The error for a wrong option, with the option's path first. */
export function invalidOption(path: string, sentence: string): CibaError {
  return new CibaError('invalid_option', `${path} ${sentence}`);
}
