import type { Found } from '../figures.js';
import { Rounds, turnOf } from '../rounds.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';

/** Flows under way at a time. */
const CONNECTIONS = 16;

/** How many flows are done in a second: a client asks, the person says yes, the client redeems. Nobody is asked twice. */
export async function wholeFlows(stage: Stage, { rounds, milliseconds }: Sizes): Promise<Found> {
  const servers = { native: await stage.start('native'), plugin: await stage.start('plugin') };
  let person = 0;
  const measured = await Rounds.run(['native', 'plugin'], rounds, async (name) => {
    const task = { port: servers[name].port, person, connections: CONNECTIONS, milliseconds };
    const turn = await turnOf(servers[name], () => stage.load.call('flows', task));
    person += turn.count;
    return turn;
  });
  return {
    flowsNative: measured.perSecond('native'),
    flowsPlugin: measured.perSecond('plugin'),
    flowsToNative: measured.ratio('plugin', 'native'),
    nativeFlowCpu: measured.cpu('native'),
    pluginFlowCpu: measured.cpu('plugin'),
  };
}
