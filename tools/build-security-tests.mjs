// Makes docs/security-tests.md from spec/attacks: what attackers send, what they get, and where that is shown. `--check` changes nothing
// and fails where it differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { attacks } from '../spec/attacks/attacks.ts';
import { runsOf } from '../spec/attacks/runs.mjs';

const path = new URL('../docs/security-tests.md', import.meta.url);
const runs = runsOf();

const places = ({ id, shown }) =>
  [
    ...new Set([
      ...runs.filter(({ ids }) => ids.includes(id)).map(({ file }) => file),
      ...shown.map(([file]) => file),
    ]),
  ]
    .map((file) => `\`${file}\``)
    .join(', ');

// A list and not a table, whose every line would change with its longest cell.
const item = (attack) => {
  const differs = attack.differs === undefined ? '' : ` ${attack.differs}.`;
  return `- **${attack.id}** ${attack.sent} → ${attack.gets}.${differs}\n  Shown in ${places(attack)}.`;
};
const section = (group) =>
  `## ${group}\n\n${attacks
    .filter((attack) => attack.group === group)
    .map(item)
    .join('\n')}`;

const page = `# Security tests

What attackers send to the protocol endpoints, the decision endpoints and the page, what they get, and the specs that send it. A file is below
\`spec/\`. Each answer is held to more than is said here: an OAuth error is JSON with two members, is not to be cached, has no stack and
nothing of what was sent; a refused request leaves no key behind. What is said behind an arrow and a full stop is where a requirement or a
decision goes before the usual advice.

Made from \`spec/attacks/attacks.ts\` and the specs by \`npm run docs\`: change it there.

${[...new Set(attacks.map(({ group }) => group))].map(section).join('\n\n')}

## The fuzzer

\`spec/attacks/fuzz.spec.ts\` shoots at a whole server in a process of its own: requests that are nearly good ones, with fields twice, left out,
replaced and added, in other encodings and types, with strange headers, methods and paths, and bytes that are no HTTP. No answer may be
a 5xx, hold a stack or what was sent, inject a header or lack the envelope of errors; the process must neither end nor grow, and no object may get what it
had not. \`npm test\` sends some; \`npm run test:attacks\` sends a million. \`FUZZ_SEED\` sends the same again. The same fuzzer finds each of eleven faults
in a small server that was built with them. \`spec/attacks/records.spec.ts\` does the same to what is stored in Redis: whatever stands there, a
request that nobody has approved brings no tokens.
`;

if (!process.argv.includes('--check')) writeFileSync(path, page);
else if (readFileSync(path, 'utf8') !== page) {
  console.error('docs/security-tests.md is not what spec/attacks says: run npm run docs');
  process.exit(1);
}
