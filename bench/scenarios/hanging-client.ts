import type { Found } from '../figures.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';
import { median } from '../statistics.js';

/** How long an approval takes beside a client that hangs when it is pinged. The two kinds of client take turns. */
export async function hangingClient(stage: Stage, { approvals: count }: Sizes): Promise<Found> {
  const endpoints = await stage.load.call('endpoints');
  const { port } = await stage.start('plugin', { endpoints });
  const { prompt, hanging } = await stage.load.call('approvalsBesideHanging', {
    port,
    pollPort: port,
    person: 0,
    count,
  });
  return { approvalPrompt: median(prompt), approvalHanging: median(hanging) };
}
