// Makes docs/performance.md and its charts from bench/results.json, which `npm run bench` writes. `--check` changes nothing and fails
// where they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { svgOf } from '../bench/chart.ts';
import { chartsOf } from '../bench/charts.ts';
import { isMet } from '../bench/figures.ts';
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

## Measure it again

\`\`\`sh
npm run bench             # under ten minutes; writes bench/results.json, this page and its charts
npm run bench -- --quick  # under a minute and a half, to see that all of it works; writes nothing
\`\`\`

It needs \`redis-server\`, which it starts itself, as often as it needs one. It ends with 1 where a figure is not what it should be.

## What is measured

Servers, load and Redis are processes of their own, on the loopback interface. The contenders take turns, in another order each
round, after two rounds that warm them up; a ratio is the median of the ratios of ${FULL.rounds} rounds. All have the same clients, the same Redis and
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
