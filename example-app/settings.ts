/** What the environment says about the example. */
export interface Settings {
  readonly port: number;
  readonly issuer: string;
  readonly redisUrl: string | undefined;
  /** Whether an account may have only so many requests pending. */
  readonly limits: boolean;
  readonly production: boolean;
}

/** The part of `process.env` that the example reads. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment; throws a sentence for a person where it makes no sense. */
export function settingsOf(env: Env): Settings {
  const port = Number(env['PORT'] || 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT must be a number from 0 to 65535, not ${env['PORT']}`);
  }
  const issuer = env['ISSUER'] || `http://localhost:${port}`;
  if (!URL.canParse(issuer)) throw new Error(`ISSUER must be a URL, not ${issuer}`);
  return {
    port,
    issuer: issuer.replace(/\/$/, ''),
    redisUrl: env['REDIS_URL'] || undefined,
    limits: env['LIMITS'] !== 'off',
    production: env['NODE_ENV'] === 'production',
  };
}
