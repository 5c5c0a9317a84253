import { setTimeout as pause } from 'node:timers/promises';
import { authReqIdOf, clientOf } from '../population.js';
import { Connection, onConnections } from './connection.js';
import { approved, checkTokens } from './flow.js';
import { poll } from './requests.js';

export interface HoldTask {
  readonly port: number;
  /** The requests from number 0 on. */
  readonly count: number;
}

export interface DecideTask {
  readonly port: number;
  readonly connections: number;
}

export interface Decided {
  readonly milliseconds: number;
  /** How many clients have no tokens. */
  readonly lost: number;
}

/** So many polls are sent at a time, and so many milliseconds later the next ones: clients do not come all at once. */
const [BATCH, PACE] = [100, 80];

/** The longest that may be asked for. */
const HOLD = 'Prefer: wait=30\r\n';

/** Clients whose polls are held, one for each request, each on a connection of its own. */
export class Holding {
  #held: { readonly connection: Connection; readonly redeeming: Promise<void> }[] = [];

  /** From then on a client that gets something else than its tokens is counted; before, something else is wrong. */
  #deciding = false;

  /** Sends a poll for each; their answers are waited for later. */
  async begin({ port, count }: HoldTask): Promise<void> {
    while (this.#held.length < count) {
      const connections = await Promise.all(Array.from({ length: BATCH }, () => Connection.open(port)));
      for (const connection of connections) {
        const redeeming = redeemedAtLast(connection, this.#held.length);
        redeeming.catch((error) => {
          if (!this.#deciding) throw error;
        });
        this.#held.push({ connection, redeeming });
      }
      await pause(PACE);
    }
  }

  /** Lets every person say yes, and waits until every client has its tokens, or something else. */
  async decide({ port, connections }: DecideTask): Promise<Decided> {
    this.#deciding = true;
    const began = performance.now();
    let next = 0;
    await onConnections(port, connections, (all) =>
      Promise.all(
        all.map(async (connection) => {
          while (next < this.#held.length) {
            const person = next++;
            const authReqId = authReqIdOf(person);
            await approved(connection, { authReqId, person, clientId: clientOf('secret', person) });
          }
        }),
      ),
    );
    const outcomes = await Promise.allSettled(this.#held.map(({ redeeming }) => redeeming));
    return {
      milliseconds: performance.now() - began,
      lost: outcomes.filter(({ status }) => status === 'rejected').length,
    };
  }

  end(): void {
    for (const { connection } of this.#held) connection.close();
    this.#held = [];
    this.#deciding = false;
  }
}

/** A poll that was held for as long as it may be is sent again. */
async function redeemedAtLast(connection: Connection, request: number): Promise<void> {
  for (;;) {
    const answer = await connection.send(poll(authReqIdOf(request), clientOf('secret', request), HOLD));
    if (!answer.body.includes('"authorization_pending"')) return checkTokens(answer);
  }
}
