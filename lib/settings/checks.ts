import { invalidOption } from '../errors.js';

/** A group with every default in its place, but for those that have none. */
export type Complete<Options, Without extends keyof Options = never> = {
  readonly [Key in Exclude<keyof Options, Without>]-?: Exclude<Options[Key], undefined>;
} & { readonly [Key in Without]: Options[Key] };

/** What is wrong with a value, in words that follow its name. */
export type Check = (value: unknown) => string | undefined;

export const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`;
export const callback: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function');
export const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
export const list =
  (member: (value: unknown) => boolean, sentence: string): Check =>
  (value) =>
    Array.isArray(value) && value.every(member) ? undefined : sentence;
export const text =
  (form: RegExp, sentence: string): Check =>
  (value) =>
    typeof value === 'string' && form.test(value) ? undefined : sentence;

export const path: Check = text(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /ciba/requests');
export const words: Check = text(/^\S(?:.{0,254}\S)?$/, 'must be a text of 1 to 256 characters');
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const group: Check = (value) => (isObject(value) ? undefined : 'must be an object');
/** A check that also lets `false` pass. */
export const unlessFalse =
  (check: Check): Check =>
  (value) => {
    const wrong = value === false ? undefined : check(value);
    return wrong && `${wrong}, or false`;
  };
export const url =
  (form: RegExp, sentence: string): Check =>
  (value) =>
    typeof value === 'string' && URL.canParse(value) && form.test(value) ? undefined : sentence;

/** A group of options, checked, with its defaults. */
export function complete<Defaults extends object>(
  name: string,
  options: object | undefined,
  defaults: Defaults,
  checks: Readonly<Record<string, Check>>,
): Defaults {
  return { ...defaults, ...checked(options ?? {}, checks, `${name}.`) };
}

/** What is given of a group of options, each checked. */
export function checked(group: object, checks: Readonly<Record<string, Check>>, path: string): object {
  const given = Object.entries(group).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) throw invalidOption(`${path}${name}`, 'is not an option of createCiba');
    const wrong = check(value);
    if (wrong) throw invalidOption(`${path}${name}`, wrong);
  }
  return Object.fromEntries(given);
}
