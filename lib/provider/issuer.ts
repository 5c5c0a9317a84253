import { hostOf, isLoopbackHost } from '../delivery/endpoint.js';
import { invalidOption } from '../errors.js';
import type { Settings } from '../settings/settings.js';

/**
 * Both endpoints are there over TLS only (CIBA Core 7). Whether they are is the deployment's to see to; an issuer that says they are not is
 * wrong under the profile, and worth a word in production.
 * @throws {CibaError} `invalid_option` under the profile, or with secrets that only a server on this machine may have
 */
export function checkIssuer(issuer: string, { profile, compat }: Settings): void {
  const url = new URL(issuer);
  if (compat?.allowWeakSecrets && !isLoopbackHost(hostOf(url)))
    throw invalidOption('compat.allowWeakSecrets', 'must be false where the issuer is not on this machine');
  if (url.protocol === 'https:') return;
  if (profile) throw invalidOption('issuer', 'must be an https URL under the profile');
  if (process.env['NODE_ENV'] === 'production' && !isLoopbackHost(hostOf(url))) {
    process.emitWarning(`the issuer ${issuer} is no https URL: CIBA is for TLS only`, 'CibaWarning');
  }
}
