import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** How long a nonce is handed out, in milliseconds, and for how many such times it is accepted. */
const STEP = 60_000;
const STEPS = 5;

/** The nonce that is handed out now. Every process with the same secret knows it, so none is stored (RFC 9449 8). */
export function currentNonce(secret: Uint8Array): string {
  return nonceOf(secret, Math.floor(Date.now() / STEP));
}

/** Whether a nonce was handed out in the last few minutes. */
export function isFreshNonce(secret: Uint8Array, nonce: unknown): boolean {
  if (typeof nonce !== 'string') return false;
  const given = Buffer.from(nonce);
  const now = Math.floor(Date.now() / STEP);
  // One step ahead: another node's clock may be.
  return Array.from({ length: STEPS + 1 }, (_, ago) => Buffer.from(nonceOf(secret, now + 1 - ago))).some(
    (accepted) => accepted.length === given.length && timingSafeEqual(accepted, given),
  );
}

/** The key is one of its own, because oidc-provider makes the nonces of its endpoints from the same secret. */
function nonceOf(secret: Uint8Array, step: number): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'oidc-provider-ciba DPoP nonce', 32));
  return createHmac('sha256', key).update(String(step)).digest('base64url');
}
