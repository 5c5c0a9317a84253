// Runs the specs on the oldest and the newest of what is supported, each line of tools/matrix-lines.mjs in a copy of its
// own. `--line 2` runs one line; what follows `--` goes to jest (`npm run test:matrix -- --line 2 -- spec/http`).
//
// A line that ran in full has to hold the requirements, too, and is written down in docs/matrix.json, whether it passed or not.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lines, typesOf } from './matrix-lines.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const resultsFile = join(root, 'docs/matrix.json');
const { only, jestArgs } = readArguments(process.argv.slice(2));

const rows = [];
for (const [index, line] of lines.entries()) {
  if (only === undefined || only === index + 1) rows.push(runLine(line, index + 1));
}
console.table(Object.fromEntries(rows.map(({ line, ...row }) => [line, row])));
if (rows.some(({ failed }) => failed !== 0)) process.exitCode = 1;

function readArguments(args) {
  const end = args.indexOf('--');
  const own = end < 0 ? args : args.slice(0, end);
  const only = own[0] === '--line' ? Number(own[1]) : undefined;
  const known = own.length === (own[0] === '--line' ? 2 : 0);
  if (!known || (only !== undefined && !lines[only - 1])) {
    console.error(`Usage: npm run test:matrix -- [--line 1..${lines.length}] [-- <arguments of jest>]`);
    process.exit(2);
  }
  return { only, jestArgs: end < 0 ? [] : args.slice(end + 1) };
}

function runLine(line, number) {
  const folder = mkdtempSync(join(tmpdir(), 'ciba-matrix-'));
  try {
    console.log(`Line ${number}: ${JSON.stringify(line)}`);
    copyTo(folder);
    const env = install(folder, line);
    const row = { line: number, ...installedIn(folder, env), ...runSpecs(folder, env) };
    if (jestArgs.length === 0) writeDown(row);
    return row;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is in the repository or could be, with the changes that are not committed. */
function copyTo(folder) {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const files = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files.filter((name) => existsSync(join(root, name)))) {
    cpSync(join(root, file), join(folder, file));
  }
}

/** Installs what the line wants, and gives the environment in which `node` is the line's own. */
function install(folder, line) {
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  const at = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('npm', ['ci', ...quiet], at);
  // In one go: npm takes away what an earlier install did not save.
  const wanted = Object.entries({ ...line, ...typesOf(line) }).map(([name, version]) => `${name}@${version}`);
  execFileSync('npm', ['install', '--no-save', ...quiet, ...wanted], at);
  const bin = join(folder, 'node_modules/node/bin');
  return { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
}

function installedIn(folder, env) {
  const versionOf = (name) =>
    JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  const node = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim().slice(1);
  return { node, 'oidc-provider': versionOf('oidc-provider'), express: versionOf('express') };
}

function runSpecs(folder, env) {
  execFileSync('npm', ['run', '--silent', 'pretest'], { cwd: folder, env, stdio: 'inherit' });
  const report = join(folder, 'report.json');
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
  ];
  const { status, signal } = spawnSync('node', [...jest, '--json', `--outputFile=${report}`, ...jestArgs], {
    cwd: folder,
    env,
    // With --json jest prints the report too, and what people read to stderr.
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (!existsSync(report)) throw new Error(`jest ended by ${signal ?? status} and left no report`);
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  return {
    passed: numPassedTests,
    // A file that cannot be loaded has no test that could fail.
    failed: numFailedTests + numRuntimeErrorTestSuites + (holdsRequirements(folder, env) ? 0 : 1),
    skipped: numPendingTests,
  };
}

/** Some of the specs hold only some of them. */
function holdsRequirements(folder, env) {
  if (jestArgs.length > 0) return true;
  const { status } = spawnSync('npm', ['run', '--silent', 'requirements'], {
    cwd: folder,
    env,
    stdio: 'inherit',
  });
  return status === 0;
}

function writeDown({ line: number, ...row }) {
  const known = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};
  const date = new Date().toISOString().slice(0, 10);
  const results = { ...known, [number]: { ...row, date } };
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
}
