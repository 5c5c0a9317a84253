import { invalidOption } from '../errors.js';
import type { LoginHintTokenIssuer, LoginHintTokenOptions } from '../options.js';
import {
  type Check,
  type Complete,
  callback,
  checked,
  complete,
  isObject,
  list,
  url,
  whole,
  words,
} from './checks.js';

export type LoginHintTokenSettings = Complete<LoginHintTokenOptions, 'audience' | 'typ' | 'resolve'>;

const DEFAULTS = {
  audience: undefined,
  typ: undefined,
  resolve: undefined,
  maxAge: 300,
} as const;

const CHECKS: Readonly<Record<keyof LoginHintTokenOptions, Check>> = {
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

export function loginHintTokenSettings(options: LoginHintTokenOptions): LoginHintTokenSettings {
  const settings = complete('loginHintToken', options, DEFAULTS, CHECKS);
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
