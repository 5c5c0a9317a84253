// The lines of `npm run test:matrix` as Markdown, with what came of each when it last ran in full.
import { existsSync, readFileSync } from 'node:fs';
import { lines } from './matrix-lines.mjs';

const resultsFile = new URL('../docs/matrix.json', import.meta.url);

export function matrixTable() {
  const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};
  const rows = lines.map((line, index) => {
    const result = results[index + 1];
    const { node, 'oidc-provider': provider = 'newest', express = 'newest' } = result ?? line;
    const { passed = '', failed = '', date = 'not yet' } = result ?? {};
    return [index + 1, node, provider, express, passed, failed, date];
  });
  const head = ['line', 'Node', 'oidc-provider', 'Express', 'passed', 'failed', 'run'];
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => String(row[column]).length)),
  );
  const padded = (row) => row.map((cell, column) => String(cell).padEnd(widths[column]));
  const table = [padded(head), widths.map((width) => '-'.repeat(width)), ...rows.map(padded)];
  return table.map((row) => `| ${row.join(' | ')} |`).join('\n');
}
