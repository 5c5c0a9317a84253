import { cpu } from '../processes/usage.js';
import type { Assertions } from './assertions.js';
import { onConnections } from './connection.js';
import { POLLS, type PollKind } from './requests.js';

export interface PollsTask {
  readonly port: number;
  readonly kind: PollKind;
  /** How many requests are pending. Their turns are scattered, so that those polled one after another do not lie side by side. */
  readonly pending: number;
  /** Whose turn is first, and how many have theirs. */
  readonly turn: number;
  readonly turns: number;
  /** How many polls are under way at a time. */
  readonly connections: number;
  /** Where it is given, they have their turn until so many milliseconds are over, and, but for those with assertions, again and again. */
  readonly milliseconds?: number;
}

export interface Polled {
  readonly count: number;
  readonly milliseconds: number;
  /** Processor time of the making of this load, in milliseconds. */
  readonly cpu: number;
}

/** Has no divisor in common with any number of requests. */
const SCATTER = 999_983;

/** Polls, and counts answers, all of which must be that the request is pending. */
export async function polls(task: PollsTask, assertions: Assertions): Promise<Polled> {
  const { port, kind, pending, turn, turns, connections, milliseconds } = task;
  const requests = Array.from({ length: turns }, (_, index) =>
    POLLS[kind](((turn + index) * SCATTER) % pending, assertions),
  );
  let count = 0;
  let took = 0;
  let cpuTime = 0;
  await onConnections(port, connections, async (all) => {
    const before = cpu();
    const began = performance.now();
    const end = began + (milliseconds ?? Number.POSITIVE_INFINITY);
    // An assertion that comes again is refused: a turn ends where there is none left.
    const most = milliseconds === undefined || kind === 'assertion' ? turns : Number.POSITIVE_INFINITY;
    await Promise.all(
      all.map(async (connection) => {
        while (count < most && performance.now() < end) {
          const request = requests[count % turns] ?? '';
          count += 1;
          const { body } = await connection.send(request);
          if (!body.includes('"authorization_pending"')) throw new Error(`a poll was answered ${body}`);
        }
      }),
    );
    took = performance.now() - began;
    cpuTime = cpu() - before;
  });
  return { count, milliseconds: took, cpu: cpuTime };
}
