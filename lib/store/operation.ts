import { randomBytes } from 'node:crypto';

/** What the operations of this process begin with: 60 random bits. A request carries the last ones as long as it lives, so it is short. */
const PROCESS = randomBytes(8).toString('base64url').slice(0, 10);

let count = 0;

/** A name for an operation on a request, which no other has. It is no secret. */
export function newOperation(): string {
  count += 1;
  return `${PROCESS}${count.toString(36)}`;
}
