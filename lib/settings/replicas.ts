import type { ReplicaOptions } from '../options.js';
import { type Check, type Complete, complete, whole } from './checks.js';

export type ReplicaSettings = Complete<ReplicaOptions>;

const DEFAULTS: ReplicaSettings = { acknowledge: 1, within: 200 };

const CHECKS: Readonly<Record<keyof ReplicaOptions, Check>> = {
  acknowledge: whole(1, 5),
  within: whole(10, 500),
};

export const replicaSettings = (options: ReplicaOptions): ReplicaSettings =>
  complete('replicas', options, DEFAULTS, CHECKS);
