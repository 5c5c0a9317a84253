import { createRequire } from 'node:module';
import { invalidOption } from './errors.js';

/**
 * A package that only one part needs, loaded when that part is used.
 * @throws {CibaError} `invalid_option` with the option and a sentence, where it is not installed
 */
export function optionalPackage<Package>(name: string, option: string, sentence: string): Package {
  try {
    return createRequire(import.meta.url)(name);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw cause;
    throw invalidOption(option, sentence);
  }
}
