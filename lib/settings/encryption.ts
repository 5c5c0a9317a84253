import { invalidOption } from '../errors.js';
import type { EncryptionOptions } from '../options.js';
import { keyBytes, PLAIN } from '../store/encryption.js';
import { type Check, checked } from './checks.js';

const CHECKS: Readonly<Record<keyof EncryptionOptions, Check>> = {
  keys: (value) =>
    Array.isArray(value) &&
    value.every((key) => key === PLAIN || keyBytes(key)) &&
    value.some((key) => key !== PLAIN)
      ? undefined
      : `must be a list of keys, each 32 bytes or their 43 characters of base64url, or '${PLAIN}' beside one`,
};

export function encryptionSettings(options: EncryptionOptions): EncryptionOptions {
  checked(options, CHECKS, 'encryption.');
  if (options.keys === undefined) throw invalidOption('encryption.keys', 'must be a list of keys');
  return options;
}
