import { randomInt } from 'node:crypto';
import { CibaError } from '../errors.js';
import type { RequestPayload } from './payload.js';

/** A number for the asking screen: two digits, so that it can be read across a counter and typed without a mistake. */
export function newNumber(): string {
  return String(randomInt(10, 100));
}

/**
 * Whether an approval's number is the one on the asking screen; nothing where the client asks for none.
 * @throws {CibaError} `invalid_decision` where one is needed and none, or nothing that could be one, is given: that decides nothing
 */
export function matchNumber({ number }: RequestPayload, given: string | undefined): boolean | undefined {
  if (number === undefined) return undefined;
  if (typeof given !== 'string' || !/^[0-9]{2}$/.test(given.trim())) {
    throw new CibaError('invalid_decision', 'number must be the two digits on the asking screen');
  }
  return given.trim() === number;
}
