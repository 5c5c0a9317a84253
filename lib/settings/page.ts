import { invalidOption } from '../errors.js';
import type { PageOptions, PasskeyOptions } from '../options.js';
import { ENGLISH, type PageTexts } from '../page-texts.js';
import {
  type Check,
  type Complete,
  callback,
  checked,
  complete,
  flag,
  group,
  isObject,
  path,
  url,
  words,
} from './checks.js';

export type PageSettings = Complete<PageOptions, 'baseUrl' | 'passkeys'>;

const DEFAULTS: PageSettings = {
  path: '/ciba/decide',
  baseUrl: undefined,
  passkeys: undefined,
  texts: {},
};

const CHECKS: Readonly<Record<keyof PageOptions, Check>> = {
  path,
  baseUrl: url(/^https?:\/\/[^?#]+$/, 'must be an http or https URL without a query'),
  passkeys: group,
  texts: (value) =>
    isObject(value) && Object.entries(value).every(([tag, texts]) => isLanguage(tag) && isObject(texts))
      ? undefined
      : 'must be an object of texts by language tag',
};

const PASSKEY_CHECKS: Readonly<Record<keyof PasskeyOptions, Check>> = {
  of: callback,
  used: callback,
  rpId: words,
  discoverable: flag,
  acr: words,
};

export function pageSettings(options: PageOptions | undefined): PageSettings {
  const { passkeys } = options ?? {};
  if (passkeys !== undefined) {
    if (!isObject(passkeys)) throw invalidOption('page.passkeys', 'must be an object');
    checked(passkeys, PASSKEY_CHECKS, 'page.passkeys.');
    if (passkeys.of === undefined) throw invalidOption('page.passkeys.of', 'must be a function');
  }
  const settings = complete('page', options, DEFAULTS, CHECKS);
  for (const [tag, texts] of Object.entries(settings.texts)) checkTexts(`page.texts.${tag}`, texts);
  return settings;
}

/** A text that the page does not have would be missed by nobody but whoever wrote it. */
function checkTexts(path: string, texts: object): void {
  for (const [name, text] of Object.entries(texts)) {
    if (!Object.hasOwn(ENGLISH, name)) throw invalidOption(`${path}.${name}`, 'is not a text of the page');
    const group = isObject(ENGLISH[name as keyof PageTexts]);
    const words = group && isObject(text) ? Object.values(text) : [group ? undefined : text];
    if (!words.every((word) => typeof word === 'string')) {
      throw invalidOption(`${path}.${name}`, group ? 'must be an object of texts' : 'must be a text');
    }
  }
}

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
