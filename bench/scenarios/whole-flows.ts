import type { Found } from '../figures.js';
import { Rounds, turnOf } from '../rounds.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';

/** Flows under way at a time. */
const CONNECTIONS = 16;

/** How many flows are done in a second: a client asks, the person says yes, the client redeems. Nobody is asked twice. */
export async function wholeFlows(stage: Stage, { starts, rounds, milliseconds }: Sizes): Promise<Found> {
  let person = 0;
  const measured: Rounds<'native' | 'plugin'>[] = [];
  for (let start = 0; start < starts; start += 1) {
    const servers = { native: await stage.start('native'), plugin: await stage.start('plugin') };
    const turns = Rounds.run(['native', 'plugin'], rounds, async (name) => {
      const task = { port: servers[name].port, person, connections: CONNECTIONS, milliseconds };
      const turn = await turnOf(servers[name], () => stage.load.call('flows', task));
      person += turn.count;
      return turn;
    });
    measured.push(await turns);
    await stage.end(Object.values(servers));
  }
  const all = Rounds.joined(measured);
  return {
    flowsNative: all.perSecond('native'),
    flowsPlugin: all.perSecond('plugin'),
    flowsToNative: all.ratio('plugin', 'native'),
    nativeFlowCpu: all.cpu('native'),
    pluginFlowCpu: all.cpu('plugin'),
  };
}
