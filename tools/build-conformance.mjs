// Makes docs/conformance.md from spec/requirements.ts, what the specs cite, and the results of `npm run test:matrix`.
// `--check` changes nothing and fails where it differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { requirements } from '../spec/requirements.ts';
import { SINCE } from '../spec/support/oidc-provider.ts';
import { citingSpecs } from './citing-specs.mjs';
import { matrixTable } from './matrix-table.mjs';

const path = new URL('../docs/conformance.md', import.meta.url);
const files = citingSpecs();

/** Where a row is tested, or why it is not. */
const evidence = ({ id, notOurs, gap }) => {
  const tested = (files.get(id) ?? []).map((file) => `\`${file}\``).join(', ');
  return [
    ...(notOurs === undefined ? [] : [`Not the package’s: ${notOurs}.`]),
    ...(gap === undefined ? [] : [`A gap: ${gap}.`]),
    ...(tested === '' ? [] : [`Tested in ${tested}.`]),
  ].join(' ');
};

// A list and not a table, whose every line would change with its longest cell.
const item = (row) => {
  const level = `${row.level}${row.ourReading ? '†' : ''}`;
  return `- **${row.id}** ${level} (${row.section}): ${row.what}.\n  ${evidence(row) || 'No spec yet.'}`;
};
const section = (group) =>
  `## ${group}\n\n${requirements
    .filter((row) => row.group === group)
    .map(item)
    .join('\n')}`;

const lacks = Object.values(SINCE).map(
  ({ version, without }) => `- Before oidc-provider ${version} ${without}.`,
);

const page = `# Conformance

What CIBA Core 1.0, FAPI-CIBA (Implementer’s Draft 1) and the parts of OAuth that touch both endpoints ask of
a provider, and where it is tested. A file is below \`spec/\`; the names of its tests cite the row. A level with
† is our reading: the source is silent or only implies it.

Made from \`spec/requirements.ts\` and the specs by \`npm run docs\`: change it there.

${[...new Set(requirements.map(({ group }) => group))].map(section).join('\n\n')}

## Versions

The whole suite, on the oldest and the newest of what is supported (\`npm run test:matrix\`):

${matrixTable()}

oidc-provider 9.12 is the oldest that is supported. It brought the rules for authorization details in tokens that the
package answers by: before it other hooks were asked, so that details which had been approved were lost. Before 9.11 a
scope could hold characters that no scope has. Before 9.8.3 the hook for user codes was given the hint in place of the
code, and a \`client_notification_token\` could be of any length. The types before 9.12 do not know the hooks either.

What is not there on the oldest, where the names of the tests say so:

${lacks.join('\n')}
`;

if (!process.argv.includes('--check')) writeFileSync(path, page);
else if (readFileSync(path, 'utf8') !== page) {
  console.error('docs/conformance.md is not what the specs say: run npm run docs');
  process.exit(1);
}
