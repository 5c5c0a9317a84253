/**
 * `npm run bench`: the plugin beside oidc-provider alone, in numbers. `-- --quick` measures less, to see that all of it works, and keeps
 * nothing.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Figure, type Found, figuresOf, isMet } from './figures.js';
import { describeMachine } from './machine.js';
import type { Results } from './results.js';
import { approvalToTokens } from './scenarios/approval-to-tokens.js';
import { deliveries } from './scenarios/deliveries.js';
import { hangingClient } from './scenarios/hanging-client.js';
import { heldPolls } from './scenarios/held-polls.js';
import { manyPending } from './scenarios/many-pending.js';
import { pollsByAssertion, pollsBySecret } from './scenarios/pending-polls.js';
import { roundTrips } from './scenarios/round-trips.js';
import { waitingForReplicas } from './scenarios/waiting-for-replicas.js';
import { wholeFlows } from './scenarios/whole-flows.js';
import { FULL, QUICK, type Sizes } from './sizes.js';
import { onStage, type Stage } from './stage.js';

const SCENARIOS: Readonly<Record<string, (stage: Stage, sizes: Sizes) => Promise<Found>>> = {
  'pending polls, client_secret_basic': pollsBySecret,
  'pending polls, private_key_jwt': pollsByAssertion,
  'what a pending poll asks of Redis': roundTrips,
  'whole flows': wholeFlows,
  'approval to token response': approvalToTokens,
  'many pending requests': manyPending,
  'held long polls': heldPolls,
  'pings delivered': deliveries,
  'an approval beside a client that hangs': hangingClient,
  'a decision that a replica has to have': waitingForReplicas,
};

const quick = process.argv.includes('--quick');
const machine = await describeMachine();
const { cpu, cores, memory, versions } = machine;
const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
console.log(`${cpu}, ${cores} cores, ${memory} GB; ${software.join(', ')}`);

let found: Found = {};
for (const [name, measure] of Object.entries(SCENARIOS)) {
  const began = performance.now();
  found = { ...found, ...(await onStage((stage) => measure(stage, quick ? QUICK : FULL))) };
  console.log(`measured: ${name} (${Math.round((performance.now() - began) / 1000)} s)`);
}

const figures = figuresOf(found);
console.log(`\n${figures.map(lineOf).join('\n')}`);
if (!quick) {
  const results: Results = { machine, figures };
  writeFileSync(new URL('results.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
  execFileSync(process.execPath, ['--import', 'tsx', 'tools/build-performance.mjs'], { stdio: 'inherit' });
  if (figures.some((figure) => isMet(figure) === false)) process.exitCode = 1;
}

function lineOf(figure: Figure): string {
  const { name, value, unit, atLeast, atMost } = figure;
  const bound = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ].join(', ');
  const met = isMet(figure);
  const verdict = met === undefined ? '' : met ? `met: ${bound}` : `MISSED: ${bound}`;
  return `${name.padEnd(78)} ${String(value).padStart(8)} ${unit.padEnd(9)} ${verdict}`.trimEnd();
}
