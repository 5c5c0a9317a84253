import type { LimitOptions } from '../options.js';
import { type Check, type Complete, complete, unlessFalse, whole } from './checks.js';

export type LimitSettings = Complete<LimitOptions>;

const DEFAULTS: LimitSettings = {
  pendingPerAccount: 10,
  pendingPerAccountAndClient: 5,
  pendingPerClient: 10_000,
  refusals: 3,
  cooldown: 600,
};

/** `limits: false`: only what a person has blocked stays so. */
const NO_LIMITS: LimitSettings = {
  pendingPerAccount: false,
  pendingPerAccountAndClient: false,
  pendingPerClient: false,
  refusals: false,
  cooldown: 600,
};

const CHECKS: Readonly<Record<keyof LimitOptions, Check>> = {
  pendingPerAccount: unlessFalse(whole(1, 1_000)),
  pendingPerAccountAndClient: unlessFalse(whole(1, 1_000)),
  pendingPerClient: unlessFalse(whole(1, 1_000_000)),
  refusals: unlessFalse(whole(1, 100)),
  cooldown: whole(10, 86_400),
};

export function limitSettings(options: LimitOptions | false | undefined): LimitSettings {
  return options === false ? NO_LIMITS : complete('limits', options, DEFAULTS, CHECKS);
}
