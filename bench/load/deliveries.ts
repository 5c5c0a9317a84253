import { clientOf } from '../population.js';
import { notificationToken } from './approvals.js';
import { onConnections } from './connection.js';
import { approved, asked } from './flow.js';
import type { Receiver } from './receiver.js';

export interface DueTask {
  readonly port: number;
  readonly person: number;
  readonly count: number;
  readonly connections: number;
}

/** Pings that are due, and whether they have arrived. */
export class DuePings {
  readonly #receiver: Receiver;
  #pings: Promise<void>[] = [];

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** Makes them due: requests are approved while nobody tells their clients. */
  async make({ port, person, count, connections }: DueTask): Promise<void> {
    let next = person;
    await onConnections(port, connections, (all) =>
      Promise.all(
        all.map(async (connection) => {
          while (next < person + count) {
            const who = next++;
            const request = await asked(connection, clientOf('ping', who), who, notificationToken());
            this.#pings.push(this.#receiver.pingOf(request.authReqId));
            await approved(connection, request);
          }
        }),
      ),
    );
  }

  /** Waits for the last one. */
  async arrive(): Promise<void> {
    await Promise.all(this.#pings);
    this.#pings = [];
  }
}
