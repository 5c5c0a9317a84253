import type { Found } from '../figures.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';
import { median, percentile } from '../statistics.js';

/** What most clients poll at, in milliseconds: the default interval. */
const USUAL_INTERVAL = 5_000;

/** Spreads what was measured over the moments of an interval in which an approval may fall. */
const PHASES = 100;

/**
 * How long a client waits for its tokens once the person has approved, by how it hears of that. Each time begins as the approval is sent
 * to one process. A client that polls waits for its next poll: that wait is not measured but added, all phases alike.
 */
export async function approvalToTokens(stage: Stage, { approvals: count }: Sizes): Promise<Found> {
  const endpoints = await stage.load.call('endpoints');
  const one = await stage.start('plugin', { longPolling: true, endpoints });
  const other = await stage.start('plugin', { longPolling: true, endpoints, worker: false });
  const times = async (
    how: 'heldApprovals' | 'pingedApprovals' | 'redemptions',
    pollPort: number,
    person: number,
  ): Promise<number[]> => {
    const task = { port: one.port, pollPort };
    await stage.load.call(how, { ...task, person, count: WARM_UP });
    return stage.load.call(how, { ...task, person: person + WARM_UP, count });
  };
  const step = count + WARM_UP;
  const here = await times('heldApprovals', one.port, 0);
  const there = await times('heldApprovals', other.port, step);
  const ping = await times('pingedApprovals', one.port, 2 * step);
  const redemptions = await times('redemptions', one.port, 3 * step);
  const polling = redemptions.flatMap((took) =>
    Array.from({ length: PHASES }, (_, phase) => took + ((phase + 0.5) / PHASES) * USUAL_INTERVAL),
  );
  return {
    pollingMedian: median(polling),
    pollingLate: percentile(polling, 99),
    pingMedian: median(ping),
    pingLate: percentile(ping, 99),
    heldHereMedian: median(here),
    heldHereLate: percentile(here, 99),
    heldThereMedian: median(there),
    heldThereLate: percentile(there, 99),
  };
}

/** Approvals that warm the servers up and do not count. */
const WARM_UP = 30;
