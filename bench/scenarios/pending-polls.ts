import type { ContenderKind } from '../contenders/contender.js';
import type { Found } from '../figures.js';
import type { PollsTask } from '../load/polls.js';
import { Rounds, type Turn, turnOf } from '../rounds.js';
import { seedNative, seedPlugin } from '../seed.js';
import type { Sizes } from '../sizes.js';
import type { Server, Stage } from '../stage.js';

/** Polls under way at a time. */
const CONNECTIONS = 32;

/** Polls of clients that authenticate by `client_secret_basic`. */
export async function pollsBySecret(stage: Stage, sizes: Sizes): Promise<Found> {
  const contenders = ['native', 'plugin', 'accelerated', 'floor'] as const;
  const { rounds, generatorShare } = await pendingPolls(stage, sizes, contenders, 'secret', sizes.pending);
  return {
    basicNative: rounds.perSecond('native'),
    basicExpress: rounds.perSecond('plugin'),
    basicAccelerated: rounds.perSecond('accelerated'),
    basicFloor: rounds.perSecond('floor'),
    basicExpressToNative: rounds.ratio('plugin', 'native'),
    basicAcceleratedToNative: rounds.ratio('accelerated', 'native'),
    basicAcceleratedToFloor: rounds.ratio('accelerated', 'floor'),
    nativePollCpu: rounds.cpu('native'),
    expressPollCpu: rounds.cpu('plugin'),
    acceleratedPollCpu: rounds.cpu('accelerated'),
    floorPollCpu: rounds.cpu('floor'),
    generatorShare,
  };
}

/** Polls of clients that authenticate by `private_key_jwt`: each assertion is signed before the turn and used once. */
export async function pollsByAssertion(stage: Stage, sizes: Sizes): Promise<Found> {
  const contenders = ['native', 'plugin'] as const;
  const { rounds } = await pendingPolls(stage, sizes, contenders, 'assertion', sizes.assertions);
  return {
    assertionNative: rounds.perSecond('native'),
    assertionExpress: rounds.perSecond('plugin'),
    nativeAssertionCpu: rounds.cpu('native'),
    expressAssertionCpu: rounds.cpu('plugin'),
    assertionToNative: rounds.ratio('plugin', 'native'),
  };
}

/**
 * How many polls of pending requests are answered in a second. Each request is polled in its turn, and again when all others were. The
 * plugin's requests are the same ones for every server that answers from them; each goes on where the last has stopped.
 */
async function pendingPolls<Name extends ContenderKind>(
  stage: Stage,
  { starts, rounds, milliseconds }: Sizes,
  contenders: readonly Name[],
  kind: 'secret' | 'assertion',
  pending: number,
): Promise<{ readonly rounds: Rounds<Name>; readonly generatorShare: number }> {
  const turns = { native: 0, others: 0 };
  let generatorShare = 0;
  const measured: Rounds<Name>[] = [];
  for (let start = 0; start < starts; start += 1) {
    const servers = new Map(
      await Promise.all(contenders.map(async (name) => [name, await stage.start(name)] as const)),
    );
    if (start === 0) await seed(servers);
    measured.push(await Rounds.run(contenders, rounds, (name) => turnAt(name, servers.get(name) as Server)));
    await stage.end(servers.values());
  }
  return { rounds: Rounds.joined(measured), generatorShare };

  async function seed(servers: ReadonlyMap<Name, Server>): Promise<void> {
    const seeding = { kind, count: pending, redis: stage.redis.client() };
    for (const [name, server] of servers) {
      if (name === 'native') await seedNative(stage, { ...seeding, server });
      if (name === 'plugin') await seedPlugin(stage, { ...seeding, server });
    }
  }

  async function turnAt(name: Name, server: Server): Promise<Turn> {
    const store = name === 'native' ? 'native' : 'others';
    const task: PollsTask = {
      port: server.port,
      kind: name === 'floor' ? 'floor' : kind,
      pending,
      turn: turns[store],
      turns: pending,
      connections: CONNECTIONS,
      milliseconds,
    };
    const turn = await turnOf(server, () => stage.load.call('polls', task));
    turns[store] = (turns[store] + turn.count) % pending;
    generatorShare = Math.max(generatorShare, (100 * turn.done.cpu) / turn.milliseconds);
    return turn;
  }
}
