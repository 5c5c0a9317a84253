/** The process of one server. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerCalls, givenTo } from '../processes/answer-calls.js';
import { Profiler } from '../processes/profiler.js';
import { cpu, residentMemory } from '../processes/usage.js';
import type { Contender, ContenderKind, ContenderSpec } from './contender.js';

/** Each loads what it needs alone, so that its memory is its own. */
const CONTENDERS: Readonly<Record<ContenderKind, (spec: ContenderSpec) => Promise<Contender>>> = {
  plugin: async (spec) => (await import('./plugin.js')).plugin(spec),
  accelerated: async (spec) => (await import('./plugin.js')).accelerated(spec),
  native: async (spec) => (await import('./native.js')).native(spec),
  floor: async (spec) => (await import('./floor.js')).floor(spec),
  holding: async () => (await import('./holding.js')).holding(),
};

const spec = givenTo<ContenderSpec>();
const contender = await CONTENDERS[spec.kind](spec);
const server = createServer(contender.listener).listen(0, '127.0.0.1');
await once(server, 'listening');

const profiler = new Profiler();
const calls = {
  port: () => (server.address() as AddressInfo).port,
  cpu,
  residentMemory,
  startProfile: () => profiler.start(),
  stopProfile: () => profiler.stop(),
  held: () => contender.held?.() ?? 0,
  work: () => contender.work?.(),
};
export type ContenderCalls = typeof calls;
answerCalls(calls);
