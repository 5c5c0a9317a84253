// Makes docs/performance.md and its charts from bench/results.json and bench/profile.json, which `npm run bench` and `npm run bench:profile`
// write. `--check` changes nothing and fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { svgOf } from '../bench/chart.ts';
import { chartsOf } from '../bench/charts.ts';
import { FIGURES, isMet } from '../bench/figures.ts';
import { CLIENTS, INTERVAL } from '../bench/population.ts';
import { valuesIn } from '../bench/results.ts';
import { FULL } from '../bench/sizes.ts';
import { ASSUMED, tenMillion } from '../bench/ten-million.ts';

const root = new URL('..', import.meta.url);
const results = JSON.parse(readFileSync(new URL('bench/results.json', root), 'utf8'));
const value = valuesIn(results);

/** To three digits, or to the unit. */
const number = (found) =>
  found.toLocaleString('en', found >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });

/** A table whose columns are as wide as their longest cell. */
function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function boundOf({ atLeast, atMost }) {
  if (atLeast !== undefined && atLeast === atMost) return `exactly ${number(atLeast)}`;
  if (atLeast !== undefined) return `at least ${number(atLeast)}`;
  return atMost === undefined ? '' : `at most ${number(atMost)}`;
}

function verdictOf(figure) {
  const met = isMet(figure);
  return met === undefined ? '' : met ? 'yes' : '**no**';
}

const { cpu, cores, memory, versions } = results.machine;
const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
const figures = table(
  ['what', 'measured', 'wanted', 'met'],
  results.figures.map((figure) => [
    figure.name,
    `${number(figure.value)} ${figure.unit}`.trim(),
    boundOf(figure),
    verdictOf(figure),
  ]),
);

const plan = tenMillion(value);
const needs = table(
  ['in the busiest hour', ...plan.needs.map(({ name }) => name)],
  [
    ['polls a second', ({ pollsASecond }) => number(pollsASecond)],
    ['polls held at a time', ({ held }) => number(held)],
    ['processor cores of servers for polls', ({ pollCores }) => number(pollCores)],
    ['… for asking, approving and redeeming', ({ flowCores }) => number(flowCores)],
    [`server processes, ${ASSUMED.busy * 100} % busy`, ({ processes }) => number(processes)],
    ['Redis commands a second', ({ redisCommands }) => number(redisCommands)],
    ['processor cores of Redis', ({ redisCores }) => number(redisCores)],
    [`Redis primaries, ${ASSUMED.busy * 100} % busy`, ({ redisNodes }) => number(redisNodes)],
  ].map(([what, of]) => [what, ...plan.needs.map(of)]),
);

/** Why a figure may not be what it should be, and what was tried. */
const SHORT = {
  assertionToNative: `Most of such a poll is oidc-provider’s work for either server: it verifies the assertion and remembers its \`jti\`, and no
  memory of it may answer the next poll. What is left is one look into Redis each. Native reads a hash and judges nothing; the plugin runs the script
  that judges the client, the time and the throttle and writes the poll down, over a connection of its own that no other command of the server’s can
  hold up. Tried, and kept: no step of the answer is waited for that has nothing to wait for, a body that only an assertion can have is
  not read in advance, one that came with its head is handed to oidc-provider without the stream’s own iterator, what the gate leaves does not go
  through the router, a command makes one promise, a poll of this road waits for no other to be sent with, a script is sent by its digest without ioredis’
  own way with scripts, and the error that says \`pending\` takes no
  trace of the stack. Not tried: to check assertions ourselves, which is oidc-provider’s work.`,
  flowsToNative: `Native stores a request, writes the decision over it and marks it as used, whoever else does the same at that moment. The plugin counts
  the person’s requests, looks whether the person has blocked the client, lets the first decision win, claims the request, and lets
  the tokens leave once the claim is settled: six scripts and a command in place of two transactions and three commands, with a digest of each
  name that goes into a key. The scripts cost Redis more, too, which shares the two cores with the servers. Tried, and kept: what touches keys of several
  slots is one script where one server has them all, in place of three to six commands; a script is sent by its digest without ioredis’ own way with
  scripts, which makes a command of its own kind each time; what one turn of the event loop has to say to Redis leaves
  ten at a time, sooner in a long turn; a body that came with its head is handed to oidc-provider without the stream’s own iterator; what the gate has found of an approved request is not asked for again. Given up
  for what no fault may cost: the command that says only that the settle was heard of, so that no other process calls an approval used up too early. Not
  tried: to claim a request with the poll that finds it approved, because what the client has to prove is known only after that.`,
  pollsAtMost: `A poll reads and writes one hash, however many there are; what differs is how much of Redis’s memory the processor’s caches hold. Runs
  of the same code have shown 0.87 to 0.94, and at 100,000 requests less than at a million in the same run: the machine’s own unrest is as
  large as what falls short.`,
  basicExpressToNative: `A poll that the gate answers does nothing but what the floor does, and goes through Express on its way: routing, the changed prototypes of
  request and response, and headers that are set one by one are what it costs beside \`accelerate\`. Tried, and kept: the gate in front
  of the router’s own routes.`,
  basicAcceleratedToFloor: `Beside the floor the gate hashes what the client shows, keeps a deadline for Redis, and tells its events; and in a process in which oidc-provider
  follows each request with \`AsyncLocalStorage\` every promise costs more. The faster the machine, the more of it shows.`,
};
const keyOf = ({ name }) => Object.keys(FIGURES).find((key) => FIGURES[key].name === name);
const missed = results.figures.filter((figure) => isMet(figure) === false);
const shortfalls = missed
  .map(
    (figure) => `- **${figure.name}: ${number(figure.value)}.** ${SHORT[keyOf(figure)] ?? 'Not explained.'}`,
  )
  .join('\n');

const profile = JSON.parse(readFileSync(new URL('bench/profile.json', root), 'utf8'));
const CALLED = { native: 'native', plugin: 'plugin', accelerated: 'with accelerate', floor: 'floor' };
const profiles = [...new Set(profile.profiles.map(({ work }) => work))]
  .map((work) => {
    const of = profile.profiles.filter((one) => one.work === work);
    const rows = Object.keys(of[0].microseconds).map((place) => [
      place,
      ...of.map(({ microseconds }) => `${number(microseconds[place])} µs`),
    ]);
    return table([work, ...of.map(({ contender }) => CALLED[contender])], rows);
  })
  .join('\n\n');

const charts = chartsOf(value);
const image = (name) => `![${charts[name].title}](images/${name}.svg)`;

const page = `# Performance

What the package costs beside oidc-provider alone, measured by \`npm run bench\`. The ratios are what counts: both sides of
each were measured on the same machine within seconds. The other numbers are of this machine: ${cpu}, ${cores} cores,
${memory} GB; ${software.join(', ')}. Server, Redis and load share its cores.

Made from \`bench/results.json\` by \`npm run docs\`: run the benchmark to change it.

${figures}

${image('pending-polls')}

${image('approval-to-tokens')}

${image('many-pending')}

${image('held-polls')}

## What falls short
${missed.length === 0 ? '\nNothing: every figure is what it should be.\n' : `\n${shortfalls}\n`}
## Where the time goes

What the process of a server spends on one piece of work, as a profiler sees it that looks five thousand times a second, by whose code it is
(${profile.machine.cpu}, ${profile.machine.cores} cores, Node ${profile.machine.versions.Node}).
Looking costs time itself: it says where a difference comes from, and the table above how large it is.

${profiles}

## Measure it again

\`\`\`sh
npm run bench             # under ten minutes; writes bench/results.json, this page and its charts
npm run bench -- --quick  # under a minute and a half, to see that all of it works; writes nothing
npm run bench:profile     # under five minutes; writes bench/profile.json and this page
\`\`\`

It needs \`redis-server\`, which it starts itself, as often as it needs one. It ends with 1 where a figure is not what it should be.

## What is measured

Servers, load and Redis are processes of their own, on the loopback interface. The contenders take turns, in another order each
round, after two rounds that warm them up; a ratio is the median of the ratios of all rounds. Servers of which each should do as much as
another differ by some per cent from one start to the next: polls and flows are measured in ${FULL.rounds} rounds after each of ${FULL.starts} starts. All have the same clients, the same Redis and
the same adapter for the models of oidc-provider (\`bench/contenders/plain-adapter.ts\`). The options of the package are its defaults, but
for an interval of ${INTERVAL} s and requests that outlive the measurement; throttle, limits, claims and checks are on. Connections are kept.

- **Pending polls.** ${number(FULL.pending)} requests of as many accounts and ${CLIENTS.secret} clients are pending. Each is polled in its turn, so that none is polled sooner than its
  interval allows, and any other answer than \`authorization_pending\` ends the benchmark. Native is oidc-provider’s own CIBA on Express; the floor
  is a bare \`node:http\` handler that reads the body, runs the script of a poll and writes a prepared answer, and checks nobody.
  By default the plugin remembers for a minute that a secret was right (\`rememberCredentials\`), which is what it gains most by here; assertions are
  checked each time. They are signed before a turn and used once. Processor time is what the process of the server has had.
- **Redis.** Commands are counted by \`MONITOR\`, less those that a script runs within Redis; bytes and processor time by \`INFO\`.
- **Whole flows.** A client asks, the person says yes through a route of the server’s own, the client redeems: an ID Token signed with RS256 and an opaque
  access token. Nobody is asked twice.
- **Approval to token response.** ${number(FULL.approvals)} approvals, one after another, from sending the approval to one process until the tokens are there. The long poll is at the
  same process, or at another one. A client that is pinged comes for its tokens. For the client that polls, what was measured is how long a redemption
  takes; the wait for the next poll was not waited for but added, every moment of the five seconds alike.
- **Many pending requests.** Each number has a Redis and a server of its own. They are polled a thousand at a time, and left alone for the interval. Memory is what
  Redis says it uses, less what it used before, once each request was polled: indices, keys and the allocator’s share are in it.
- **Held long polls.** One connection each. Resident memory of the process after a garbage collection, beside that of an Express handler that
  reads the form and holds the response. Then every person says yes at another process, and clients without tokens are counted.
- **Pings.** ${number(FULL.pings)} are due when one process begins to send them, to a receiver that answers at once.
- **Replicas.** One decision after another, kept by Redis alone and where a replica on the same machine has to have it (\`replicas\`), in turn.

## Ten million users, on paper

Nobody has run this: it is arithmetic with the figures above. ${number(ASSUMED.users)} users are asked ${ASSUMED.requests} times a day, ${ASSUMED.busiestHour * 100} % of that in the busiest hour: ${number(plan.flowsASecond)}
requests a second. A request is pending for ${ASSUMED.pendingFor} s, so ${number(plan.pending)} are at a time.

${needs}

Redis remembers a request until its retention is over, at the defaults ${number(plan.remembered)} of them: ${number(plan.memory / 1e9)} GB, counting each as one that is pending.
Tokens and grants lie where the server’s adapter puts them. Where every client is pinged, ${number(plan.workers)} processes deliver.
TLS, the network, logs and what else a server does are not in it. Requests are spread over the nodes of a cluster by their handles.
`;

const files = Object.fromEntries([
  ['docs/performance.md', page],
  ...Object.entries(charts).map(([name, chart]) => [`docs/images/${name}.svg`, svgOf(chart)]),
]);

let stale = false;
for (const [path, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(new URL(path, root), text);
  else if (readFileSync(new URL(path, root), 'utf8') !== text) {
    stale = true;
    console.error(`${path} is not what bench/results.json says: run npm run docs`);
  }
}
if (stale) process.exit(1);
