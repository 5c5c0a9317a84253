import { hash } from 'node:crypto';

/**
 * The handle of an `auth_req_id`: what devices, URLs, logs and events may hold. It is a digest, so that the store needs one
 * key a request and nobody finds the bearer secret from it.
 */
export function handleOf(authReqId: string): string {
  return hash('sha256', `oidc-provider-ciba handle ${authReqId}`, 'base64url').slice(0, 22);
}
