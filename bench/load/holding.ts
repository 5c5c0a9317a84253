import { setTimeout as pause } from 'node:timers/promises';
import { authReqIdOf, clientOf } from '../population.js';
import { type Answer, Connection, onConnections } from './connection.js';
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
  /** What the clients got that have no tokens. */
  readonly lost: readonly string[];
  /** How many polls were answered 503 or `slow_down`, or not at all. */
  readonly disturbed: number;
}

/** So many polls are sent at a time, and so many milliseconds later the next ones: clients do not come all at once. */
const [BATCH, PACE] = [100, 80];

/** The longest that may be asked for. */
const HOLD = 'Prefer: wait=30\r\n';

/** When a client comes again that was not held, in milliseconds. */
const LATER = 5_000;

/** Clients whose polls are held, one for each request, each on a connection of its own. */
export class Holding {
  #connections: Connection[] = [];

  /** Of each client, until it has its tokens. */
  #redeeming: Promise<void>[] = [];

  #disturbed = 0;

  /** From then on a client that gets something else than its tokens is counted; before, something else is wrong. */
  #deciding = false;

  /** Sends a poll for each; their answers are waited for later. */
  async begin({ port, count }: HoldTask): Promise<void> {
    while (this.#redeeming.length < count) {
      for (let place = 0; place < BATCH; place += 1) {
        const redeeming = this.#redeemed(port, this.#redeeming.length);
        redeeming.catch((error) => {
          if (!this.#deciding) throw error;
        });
        this.#redeeming.push(redeeming);
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
          while (next < this.#redeeming.length) {
            const person = next++;
            const authReqId = authReqIdOf(person);
            await approved(connection, { authReqId, person, clientId: clientOf('secret', person) });
          }
        }),
      ),
    );
    const outcomes = await Promise.allSettled(this.#redeeming);
    return {
      milliseconds: performance.now() - began,
      lost: outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : [])),
      disturbed: this.#disturbed,
    };
  }

  /** As a client does: it comes again when it was held for as long as it may be, and later when something else was in the way. */
  async #redeemed(port: number, request: number): Promise<void> {
    const connection = await Connection.open(port);
    this.#connections.push(connection);
    const asking = poll(authReqIdOf(request), clientOf('secret', request), HOLD);
    let answer: Answer | undefined;
    do {
      answer = await connection.send(asking).catch(() => undefined);
    } while (answer?.body.includes('"authorization_pending"'));
    if (answer && answer.status !== 503 && !answer.body.includes('"slow_down"')) return checkTokens(answer);
    this.#disturbed += 1;
    connection.close();
    await pause(LATER);
    return this.#redeemed(port, request);
  }

  end(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
    this.#redeeming = [];
    this.#deciding = false;
  }
}
