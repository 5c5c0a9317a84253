/**
 * `npm run bench:profile`: what the servers of the benchmark spend their processor time on, written to `bench/profile.json`. It says why a ratio
 * is what it is; the looking costs time itself, so that the figures are those of `npm run bench`.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { ContenderKind } from './contenders/contender.js';
import { describeMachine } from './machine.js';
import type { Shares } from './processes/profiler.js';
import { turnOf } from './rounds.js';
import { type Seeding, seedNative, seedPlugin } from './seed.js';
import { onStage, type Server, type Stage } from './stage.js';

/** Turns that warm a server up, and how long each turn is, in milliseconds. */
const [WARM_UP, MILLISECONDS] = [3, 3_000];

/** Requests that are pending: so many that none is polled too early. */
const PENDING = 40_000;

/** What is done in one turn of a server's, which goes on where the last one has stopped. */
type Work = (
  stage: Stage,
  server: Server,
  next: number,
  contender: ContenderKind,
) => Promise<{ count: number; milliseconds: number }>;

const polls =
  (kind: Seeding['kind']): Work =>
  ({ load }, { port }, next, contender) =>
    load.call('polls', {
      port,
      kind: contender === 'floor' ? 'floor' : kind,
      pending: PENDING,
      turn: next % PENDING,
      turns: PENDING,
      connections: 32,
      milliseconds: MILLISECONDS,
    });

const flows: Work = ({ load }, { port }, next) =>
  load.call('flows', { port, person: next, connections: 16, milliseconds: MILLISECONDS });

interface Scene {
  readonly name: string;
  readonly contenders: readonly ContenderKind[];
  readonly seeded?: Seeding['kind'];
  readonly work: Work;
}

const SCENES: readonly Scene[] = [
  {
    name: 'a pending poll, client_secret_basic',
    contenders: ['native', 'plugin', 'accelerated', 'floor'],
    seeded: 'secret',
    work: polls('secret'),
  },
  {
    name: 'a pending poll, private_key_jwt',
    contenders: ['native', 'plugin'],
    seeded: 'assertion',
    work: polls('assertion'),
  },
  { name: 'a whole flow', contenders: ['native', 'plugin'], work: flows },
];

/** Where the processor time of one piece of work goes, in microseconds. */
export interface Profile {
  readonly work: string;
  readonly contender: ContenderKind;
  readonly microseconds: Shares;
}

const profiles: Profile[] = [];
for (const { name, contenders, seeded, work } of SCENES) {
  for (const contender of contenders) {
    profiles.push({ work: name, contender, microseconds: await onStage(profiled) });
    console.log(`looked at: ${name}, ${contender}`);

    async function profiled(stage: Stage): Promise<Shares> {
      const server = await stage.start(contender);
      if (seeded) {
        // The floor answers from what the plugin has stored.
        const of = contender === 'floor' ? await stage.start('plugin') : server;
        const seeding = { kind: seeded, count: PENDING, redis: stage.redis.client(), server: of };
        await (contender === 'native' ? seedNative : seedPlugin)(stage, seeding);
      }
      let next = 0;
      for (let turn = 0; turn < WARM_UP; turn += 1)
        next += (await work(stage, server, next, contender)).count;
      await server.process.call('startProfile');
      const { cpu, count } = await turnOf(server, () => work(stage, server, next, contender));
      const shares = await server.process.call('stopProfile');
      const each = (1_000 * cpu) / count;
      return Object.fromEntries(
        Object.entries(shares).map(([place, share]) => [place, Math.round(10 * share * each) / 10]),
      ) as unknown as Shares;
    }
  }
}
const found = { machine: await describeMachine(), profiles };
writeFileSync(new URL('profile.json', import.meta.url), `${JSON.stringify(found, null, 2)}\n`);
execFileSync(process.execPath, ['--import', 'tsx', 'tools/build-performance.mjs'], { stdio: 'inherit' });
