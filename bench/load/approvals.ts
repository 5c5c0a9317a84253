import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { clientOf, HANGING_CLIENT } from '../population.js';
import { type Connection, onConnections } from './connection.js';
import { approved, asked, redeemed } from './flow.js';
import type { Receiver } from './receiver.js';

export interface ApprovalsTask {
  /** Where clients ask and people approve, and where clients poll. */
  readonly port: number;
  readonly pollPort: number;
  /** The first person who is asked; each one is asked once. */
  readonly person: number;
  readonly count: number;
}

/** How long a poll is held before its request is approved, in milliseconds. */
const HELD_FOR = 30;

/** A ping client's request says how it is told. */
export const notificationToken = (): string =>
  `&client_notification_token=${randomBytes(16).toString('hex')}`;

/** Milliseconds from the approval, as it is sent, to the tokens of a client whose poll is held. */
export function heldApprovals(task: ApprovalsTask): Promise<number[]> {
  return oneByOne(task, async (person, serving, polling) => {
    const request = await asked(serving, clientOf('secret', person), person);
    const redeeming = redeemed(polling, request, 'Prefer: wait=25\r\n');
    await pause(HELD_FOR);
    const began = performance.now();
    const approving = approved(serving, request);
    await redeeming;
    const took = performance.now() - began;
    await approving;
    return took;
  });
}

/** The same for a client that is pinged, and redeems then. */
export function pingedApprovals(task: ApprovalsTask, receiver: Receiver): Promise<number[]> {
  return oneByOne(task, async (person, serving, polling) => {
    const request = await asked(serving, clientOf('ping', person), person, notificationToken());
    const pinged = receiver.pingOf(request.authReqId);
    const began = performance.now();
    const approving = approved(serving, request);
    await pinged;
    await redeemed(polling, request);
    const took = performance.now() - began;
    await approving;
    return took;
  });
}

/** How long a poll takes that finds its request approved. */
export function redemptions(task: ApprovalsTask): Promise<number[]> {
  return oneByOne(task, async (person, serving, polling) => {
    const request = await asked(serving, clientOf('secret', person), person);
    await approved(serving, request);
    const began = performance.now();
    await redeemed(polling, request);
    return performance.now() - began;
  });
}

/** How long the approval itself takes, where the client to be pinged answers at once and where it hangs. */
export async function approvalsBesideHanging(
  task: ApprovalsTask,
): Promise<{ readonly prompt: number[]; readonly hanging: number[] }> {
  const all = await oneByOne({ ...task, count: task.count * 2 }, async (person, serving) => {
    const clientId = person % 2 === 0 ? clientOf('ping', person) : HANGING_CLIENT;
    const request = await asked(serving, clientId, person, notificationToken());
    const began = performance.now();
    await approved(serving, request);
    return performance.now() - began;
  });
  const every = (rest: number): number[] => all.filter((_, index) => (task.person + index) % 2 === rest);
  return { prompt: every(0), hanging: every(1) };
}

async function oneByOne(
  { port, pollPort, person, count }: ApprovalsTask,
  time: (person: number, serving: Connection, polling: Connection) => Promise<number>,
): Promise<number[]> {
  const taken: number[] = [];
  await onConnections(port, 1, ([serving]) =>
    onConnections(pollPort, 1, async ([polling]) => {
      if (!serving || !polling) return;
      for (let index = 0; index < count; index += 1) {
        taken.push(await time(person + index, serving, polling));
      }
    }),
  );
  return taken;
}
