/** What a deployment of ten million users would need, by what was measured. */
import { settingsOf } from '../lib/settings/settings.js';
import type { ValueOf } from './results.js';

/** What is assumed of them. */
export const ASSUMED = {
  users: 10_000_000,
  /** Requests of one user a day. */
  requests: 2,
  /** The part of a day's requests that falls into the busiest hour. */
  busiestHour: 0.2,
  /** How long a request is pending, in seconds. */
  pendingFor: 30,
  /** How long a client asks its poll to be held, in seconds. */
  heldFor: 25,
  /** How busy a processor may be at most, so that there is room for a worse hour and for a machine that fails. */
  busy: 0.5,
} as const;

/** How the clients hear of a decision. */
export interface Way {
  readonly name: string;
  readonly pollsASecond: number;
  readonly held: number;
}

/** What one way takes. */
export interface Need extends Way {
  readonly pollCores: number;
  readonly flowCores: number;
  /** Processes of the server, one core each. */
  readonly processes: number;
  readonly redisCommands: number;
  readonly redisCores: number;
  readonly redisNodes: number;
}

export interface Deployment {
  readonly flowsASecond: number;
  readonly pending: number;
  /** Requests that Redis remembers, and their memory in bytes. */
  readonly remembered: number;
  readonly memory: number;
  /** Processes that tell clients, where all of them are pinged. */
  readonly workers: number;
  readonly needs: readonly Need[];
}

export function tenMillion(value: ValueOf): Deployment {
  const { users, requests, busiestHour, pendingFor, heldFor, busy } = ASSUMED;
  const { interval, defaultExpiry, retention, longPolling } = settingsOf({ longPolling: {} });
  const flowsASecond = (users * requests * busiestHour) / 3_600;
  const pending = flowsASecond * pendingFor;
  const remembered = flowsASecond * (defaultExpiry + retention);
  const seconds = (microseconds: number): number => microseconds / 1_000_000;
  const needOf = (way: Way): Need => {
    const pollCores = way.pollsASecond * seconds(value('acceleratedPollCpu'));
    const flowCores = flowsASecond * seconds(value('pluginFlowCpu'));
    const redisCores =
      way.pollsASecond * seconds(value('redisPollCpu')) + flowsASecond * seconds(value('redisFlowCpu'));
    const holding = way.held / (longPolling?.held ?? 1);
    return {
      ...way,
      pollCores,
      flowCores,
      processes: Math.ceil(Math.max((pollCores + flowCores) / busy, holding / busy)),
      redisCommands: way.pollsASecond + flowsASecond * value('flowRoundTrips'),
      redisCores,
      redisNodes: Math.ceil(redisCores / busy),
    };
  };
  return {
    flowsASecond,
    pending,
    remembered,
    memory: remembered * value('memory'),
    workers: Math.ceil(flowsASecond / value('deliveries') / busy),
    needs: [
      { name: `a poll every ${interval} s`, pollsASecond: pending / interval, held: 0 },
      { name: 'long polls', pollsASecond: flowsASecond * (1 + pendingFor / heldFor), held: pending },
    ].map(needOf),
  };
}
