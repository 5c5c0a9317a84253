import { randomBytes } from 'node:crypto';

/** A name for an operation on a request. A request carries the last ones as long as it lives, so it is short: 72 random bits. */
export function newOperation(): string {
  return randomBytes(9).toString('base64url');
}
