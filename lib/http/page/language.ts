import type { Request } from 'express';
import { ENGLISH, type PageTexts } from '../../page-texts.js';

/** The page's texts in one language. */
export interface Language {
  readonly tag: string;
  readonly direction: 'ltr' | 'rtl';
  readonly texts: PageTexts;
}

/** Written from right to left, where the runtime does not know. */
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set([
  'ar',
  'ckb',
  'dv',
  'fa',
  'he',
  'ks',
  'ps',
  'sd',
  'ug',
  'ur',
  'yi',
]);

/** The language that the person's browser asks for, of those that there are; English where none fits. */
export function languageOf(req: Request, given: Readonly<Record<string, Partial<PageTexts>>>): Language {
  const tags = ['en', ...Object.keys(given).filter((tag) => tag !== 'en')];
  const tag = req.acceptsLanguages(...tags) || 'en';
  const theirs = given[tag] ?? {};
  const texts = {
    ...ENGLISH,
    ...theirs,
    scopes: { ...ENGLISH.scopes, ...theirs.scopes },
    claims: { ...ENGLISH.claims, ...theirs.claims },
  };
  return { tag, direction: directionOf(tag), texts };
}

function directionOf(tag: string): 'ltr' | 'rtl' {
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    getTextInfo?: () => { direction?: string };
    textInfo?: { direction?: string };
  };
  const known = (locale.getTextInfo?.() ?? locale.textInfo)?.direction;
  return (known ?? (RIGHT_TO_LEFT.has(locale.language) ? 'rtl' : 'ltr')) === 'rtl' ? 'rtl' : 'ltr';
}
