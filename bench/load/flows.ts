import { clientOf } from '../population.js';
import { onConnections } from './connection.js';
import { approved, asked, redeemed } from './flow.js';

export interface FlowsTask {
  readonly port: number;
  /** The first person who is asked; each one is asked once. */
  readonly person: number;
  readonly connections: number;
  readonly milliseconds: number;
}

/** Does as many flows, from asking to the tokens, as that time allows. */
export async function flows({
  port,
  person,
  connections,
  milliseconds,
}: FlowsTask): Promise<{ readonly count: number; readonly milliseconds: number }> {
  let next = person;
  let took = 0;
  await onConnections(port, connections, async (all) => {
    const began = performance.now();
    await Promise.all(
      all.map(async (connection) => {
        while (performance.now() < began + milliseconds) {
          const who = next++;
          const request = await asked(connection, clientOf('secret', who), who);
          await approved(connection, request);
          await redeemed(connection, request);
        }
      }),
    );
    took = performance.now() - began;
  });
  return { count: next - person, milliseconds: took };
}
