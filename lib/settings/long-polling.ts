import type { LongPollingOptions } from '../options.js';
import { type Check, type Complete, complete, whole } from './checks.js';

export type LongPollingSettings = Complete<LongPollingOptions>;

const DEFAULTS: LongPollingSettings = { wait: 0, held: 10_000 };

const CHECKS: Readonly<Record<keyof LongPollingOptions, Check>> = {
  wait: whole(0, 30),
  held: whole(1, 100_000),
};

export const longPollingSettings = (options: LongPollingOptions): LongPollingSettings =>
  complete('longPolling', options, DEFAULTS, CHECKS);
