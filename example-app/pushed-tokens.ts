import { createHash } from 'node:crypto';
import type { TillClient, VerifiedIdToken } from './till-client.js';

/** The claim of an ID Token that says which request it answers. */
export const AUTH_REQ_ID = 'urn:openid:params:jwt:claim:auth_req_id';
const RT_HASH = 'urn:openid:params:jwt:claim:rt_hash';

/**
 * Checks what was pushed (CIBA Core 10.3.1). A push comes from outside: it is the signed ID Token that says which request it
 * answers and which tokens belong to it, so that nobody can put others in their place.
 */
export async function verifyPush(
  client: TillClient,
  authReqId: string,
  pushed: Readonly<Record<string, unknown>>,
): Promise<VerifiedIdToken> {
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = pushed;
  const verified = await client.verify(idToken);
  const { payload } = verified;
  if (payload[AUTH_REQ_ID] !== authReqId) throw new Error('the ID Token answers another request');
  if (payload['at_hash'] !== hashOf(accessToken)) throw new Error('the access token is not the ID Token’s');
  if (refreshToken !== undefined && payload[RT_HASH] !== hashOf(refreshToken)) {
    throw new Error('the refresh token is not the ID Token’s');
  }
  return verified;
}

/** The left half of the digest, with the hash of the ID Token's algorithm, which is RS256 (OIDC Core 3.1.3.6). */
function hashOf(token: unknown): string {
  if (typeof token !== 'string') throw new Error('a token is missing');
  return createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');
}
