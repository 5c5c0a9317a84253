import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  errors as joseErrors,
  jwtVerify,
} from 'jose';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { invalidOption } from '../errors.js';
import type { LoginHintTokenIssuer } from '../options.js';
import type { LoginHintTokenSettings } from '../settings/login-hint-token.js';
import type { Settings } from '../settings/settings.js';
import { exchangeOf } from './exchange.js';
import { unavailable } from './unavailable.js';

/** Asks for a document on the network; the server's own `fetch`, where its configuration has one. */
export type Fetch = (url: string, options: RequestInit) => Promise<Response>;

/** How far the clocks of an issuer and of this server may be apart, in seconds. */
const TOLERANCE = 15;

/** How long a used token is remembered beyond its end, in milliseconds: this server's clocks are apart as well. */
const REMEMBERED_BEYOND = 60_000;

/** How long an issuer's keys are waited for, in milliseconds. */
const KEYS_WITHIN = 3_000;

const ALGORITHMS: readonly string[] = ['ES256', 'PS256', 'RS256', 'EdDSA'];

/** What a client hears of a token that is not good, whatever is wrong with it. */
const NOT_VALID = 'login_hint_token is not valid';

interface Trusted {
  readonly keys: JWTVerifyGetKey;
  readonly algorithms: string[];
}

/** Thrown where an issuer's keys cannot be had: the token may be good. */
class KeysUnreachable extends Error {}

/**
 * Takes login hint tokens (CIBA Core 7.1, 14): JWTs of the issuers trusted, for this server, new, and used once.
 * @throws {CibaError} `invalid_option` where an issuer is named twice, or its keys are not public ones
 */
export class LoginHintTokens {
  readonly #settings: LoginHintTokenSettings;
  readonly #issuers = new Map<string, Trusted>();
  readonly #now: () => number;

  constructor(settings: LoginHintTokenSettings, { timeOffset }: Settings, fetch: Fetch | undefined) {
    this.#settings = settings;
    this.#now = () => Date.now() + timeOffset();
    for (const [index, issuer] of settings.issuers.entries()) {
      const path = `loginHintToken.issuers[${index}]`;
      if (this.#issuers.has(issuer.issuer)) throw invalidOption(path, 'must not be named twice');
      this.#issuers.set(issuer.issuer, {
        keys: keysOf(issuer, path, fetch),
        algorithms: [...(issuer.algorithms ?? ALGORITHMS)],
      });
    }
  }

  /**
   * The account that a token names. The token is not used up before a request is stored for it: a client that is refused for another
   * reason, such as a missing user code, may come again with it.
   * @throws {errors.ExpiredLoginHintToken}
   * @throws {errors.InvalidRequest} which says nothing of what is wrong
   * @throws {errors.TemporarilyUnavailable} with 503 where the issuer's keys cannot be had
   */
  async accountOf(ctx: KoaContextWithOIDC, token: string): Promise<string | undefined> {
    const exchange = exchangeOf(ctx);
    const claims = await this.#verified(token, ctx.oidc.issuer).catch((cause: unknown) => {
      if (cause instanceof KeysUnreachable) throw unavailable(exchange, cause);
      if (cause instanceof joseErrors.JWTExpired) {
        throw new errors.ExpiredLoginHintToken('login_hint_token is not good any more', { cause });
      }
      throw new errors.InvalidRequest(NOT_VALID, undefined, { cause });
    });
    const { iss, jti } = claims;
    exchange.hintToken = { id: `${iss} ${jti}`, lifetime: this.#lifeLeft(claims) + REMEMBERED_BEYOND };
    const { resolve } = this.#settings;
    return resolve ? await resolve(claims, ctx) : claims.sub;
  }

  async #verified(token: string, issuer: string): Promise<JWTPayload> {
    const { iss } = decodeJwt(token);
    const trusted = this.#issuers.get(String(iss));
    if (!trusted) throw new Error('the issuer is not trusted');
    const { audience = issuer, typ, maxAge } = this.#settings;
    const claims = await verifiedByOneOf(trusted.keys, token, {
      algorithms: trusted.algorithms,
      issuer: String(iss),
      audience,
      requiredClaims: ['exp', 'iat', 'jti'],
      maxTokenAge: maxAge,
      clockTolerance: TOLERANCE,
      currentDate: new Date(this.#now()),
      ...(typ !== undefined && { typ }),
    });
    if (typeof claims.jti !== 'string' || claims.jti === '') throw new Error('the jti is no text');
    return claims;
  }

  /** How long a token is good yet, in milliseconds. */
  #lifeLeft({ exp = 0, iat = 0 }: JWTPayload): number {
    const end = Math.min(exp, iat + this.#settings.maxAge) + TOLERANCE;
    return Math.max(0, Math.ceil(end * 1000 - this.#now()));
  }
}

function keysOf(issuer: LoginHintTokenIssuer, path: string, fetch: Fetch | undefined): JWTVerifyGetKey {
  const { jwks, jwksUri } = issuer;
  if (jwksUri !== undefined) return publishedKeys(new URL(jwksUri), fetch);
  return givenKeys(jwks?.keys ?? [], `${path}.jwks`);
}

function givenKeys(keys: readonly JWK[], path: string): JWTVerifyGetKey {
  let given: JWTVerifyGetKey;
  try {
    given = createLocalJWKSet({ keys: [...keys] });
  } catch {
    throw invalidOption(path, 'must be a JSON Web Key Set');
  }
  // A secret or a private key is not for others to verify with.
  if (keys.some((key) => key.kty === 'oct' || 'd' in key)) {
    throw invalidOption(path, 'must have public keys only');
  }
  return given;
}

function publishedKeys(url: URL, fetch: Fetch | undefined): JWTVerifyGetKey {
  const published = createRemoteJWKSet(url, {
    timeoutDuration: KEYS_WITHIN,
    ...(fetch && { [customFetch]: fetch }),
  });
  return async (header, token) => {
    try {
      return await published(header, token);
    } catch (cause) {
      throw isOfToken(cause) ? cause : new KeysUnreachable('the keys cannot be had', { cause });
    }
  };
}

/** Whether it is the token that no key was found for, and not the keys that were not found. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof joseErrors.JWKSNoMatchingKey ||
    error instanceof joseErrors.JWKSMultipleMatchingKeys ||
    error instanceof joseErrors.JOSENotSupported
  );
}

/** A token need not say which of its issuer's keys it is signed with. */
async function verifiedByOneOf(
  keys: JWTVerifyGetKey,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof joseErrors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      const verified = await jwtVerify(token, key, options).catch((wrong: unknown) => {
        if (!(wrong instanceof joseErrors.JWSSignatureVerificationFailed)) throw wrong;
      });
      if (verified) return verified.payload;
    }
    throw error;
  }
}
