import type { CalledMode } from './clients.js';

/** Where the server calls a client, and whether that is not this process. */
export interface CallbackTarget {
  readonly url: string;
  readonly elsewhere: boolean;
}

/** What the environment says about the example. */
export interface Settings {
  readonly port: number;
  readonly issuer: string;
  readonly redisUrl: string | undefined;
  /** Seconds between two polls. */
  readonly interval: number;
  /** Whether people may be asked only so often. */
  readonly limits: boolean;
  readonly production: boolean;
  readonly callbacks: Readonly<Record<CalledMode, CallbackTarget>>;
  /** Where the tutorial's clients are told where their requests stand, instead of at the address that it prints. */
  readonly tutorialCallback: string | undefined;
  /** Whether a push service may be on this machine, as one that is written or tested is. */
  readonly localPushService: boolean;
}

/** The part of `process.env` that the example reads. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment; throws a sentence for a person where it makes no sense. */
export function settingsOf(env: Env): Settings {
  const port = Number(env['PORT'] || 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT must be a number from 0 to 65535, not ${env['PORT']}`);
  }
  const interval = Number(env['INTERVAL'] || 5);
  if (!Number.isInteger(interval) || interval < 1 || interval > 60) {
    throw new Error(`INTERVAL must be a number of seconds from 1 to 60, not ${env['INTERVAL']}`);
  }
  const issuer = env['ISSUER'] || `http://localhost:${port}`;
  if (!URL.canParse(issuer)) throw new Error(`ISSUER must be a URL, not ${issuer}`);
  const redisUrl = env['REDIS_URL'] || undefined;
  if (redisUrl && !/^rediss?:$/.test(URL.canParse(redisUrl) ? new URL(redisUrl).protocol : '')) {
    throw new Error('REDIS_URL must be a URL such as redis://localhost:6379');
  }
  const target = (mode: CalledMode, name: string): CallbackTarget => {
    const url = env[name] || callbackUrl(callbackPort(issuer, port), mode);
    if (!isHttpUrl(url)) {
      throw new Error(`${name} must be a URL such as https://till.example/callback`);
    }
    return { url, elsewhere: url !== callbackUrl(port, mode) };
  };
  const tutorialCallback = env['TUTORIAL_CALLBACK'] || undefined;
  if (tutorialCallback && !isHttpUrl(tutorialCallback)) {
    throw new Error('TUTORIAL_CALLBACK must be a URL such as http://127.0.0.1:4000/callback');
  }
  return {
    port,
    issuer: issuer.replace(/\/$/, ''),
    redisUrl,
    interval,
    limits: env['LIMITS'] !== 'off',
    production: env['NODE_ENV'] === 'production',
    tutorialCallback,
    localPushService: env['PUSH_SERVICE'] === 'local',
    callbacks: { ping: target('ping', 'PING_ENDPOINT'), push: target('push', 'PUSH_ENDPOINT') },
  };
}

const isHttpUrl = (url: string): boolean => /^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : '');

/** Whether a client is called on this machine. */
export function isCalledHere({ callbacks }: Settings): boolean {
  const here = /^(localhost|127\.0\.0\.1|\[::1\])$/;
  return Object.values(callbacks).some(({ url }) => here.test(new URL(url).hostname));
}

/** Where requests and tokens are kept, in words; without the password that a URL may hold. */
export function storageOf({ redisUrl }: Settings): string {
  return redisUrl ? `Redis at ${new URL(redisUrl).host}` : 'memory (set REDIS_URL for Redis)';
}

/** The receiver inside the example that listens on this port. */
function callbackUrl(port: number, mode: CalledMode): string {
  return `http://127.0.0.1:${port}/demo/callbacks/${mode}`;
}

/** Processes that share an issuer must agree on where its clients are called: at the one that the issuer's address names. */
function callbackPort(issuer: string, port: number): number {
  const { protocol, hostname, port: named } = new URL(issuer);
  return protocol === 'http:' && /^(localhost|127\.0\.0\.1)$/.test(hostname) ? Number(named || 80) : port;
}
