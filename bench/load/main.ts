/** The process that makes the load. */
import type { JsonWebKey } from 'node:crypto';
import { answerCalls, givenTo } from '../processes/answer-calls.js';
import {
  type ApprovalsTask,
  approvalsBesideHanging,
  heldApprovals,
  pingedApprovals,
  redemptions,
} from './approvals.js';
import { Assertions } from './assertions.js';
import { DuePings, type DueTask } from './deliveries.js';
import { type FirstRequestTask, firstRequest } from './first-request.js';
import { type FlowsTask, flows } from './flows.js';
import { type DecideTask, Holding, type HoldTask } from './holding.js';
import { type PollsTask, polls } from './polls.js';
import { Receiver } from './receiver.js';

const assertions = new Assertions(givenTo<JsonWebKey>());
const receiver = new Receiver();
const holding = new Holding();
const pings = new DuePings(receiver);

const calls = {
  endpoints: () => receiver.listen(),
  firstRequest: (task: FirstRequestTask) => firstRequest(task, assertions),
  polls: (task: PollsTask) => polls(task, assertions),
  flows: (task: FlowsTask) => flows(task),
  heldApprovals: (task: ApprovalsTask) => heldApprovals(task),
  pingedApprovals: (task: ApprovalsTask) => pingedApprovals(task, receiver),
  redemptions: (task: ApprovalsTask) => redemptions(task),
  approvalsBesideHanging: (task: ApprovalsTask) => approvalsBesideHanging(task),
  hold: (task: HoldTask) => holding.begin(task),
  decide: (task: DecideTask) => holding.decide(task),
  letGo: () => holding.end(),
  makePings: (task: DueTask) => pings.make(task),
  pingsArrive: () => pings.arrive(),
};
export type LoadCalls = typeof calls;
answerCalls(calls);
