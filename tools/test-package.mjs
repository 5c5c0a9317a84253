// Packs the package, installs it into an empty project beside its peers, and runs there every spec that uses the public face only:
// in that project there is no lib/. `--quick` runs a few of them; what follows `--` goes to jest instead.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packInto } from './pack.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** One of each part: asking, polling and redeeming, deciding, telling, prompting. */
const QUICK = [
  'spec/http/backchannel.spec.ts',
  'spec/http/token.spec.ts',
  'spec/http/decisions.spec.ts',
  'spec/http/telling.spec.ts',
  'spec/channels/failing-chain.spec.ts',
];

const { quick, jestArgs } = readArguments(process.argv.slice(2));
const { devDependencies, peerDependencies } = readJson('package.json');
const project = mkdtempSync(join(tmpdir(), 'ciba-installed-'));
try {
  const specs = jestArgs.length > 0 ? [] : chosenSpecs();
  install(await packInto(project));
  copySpecs();
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
  ];
  const chosen = jestArgs.length > 0 ? jestArgs : ['--runTestsByPath', ...specs];
  const { status } = spawnSync('node', [...jest, ...chosen], { cwd: project, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}

function readArguments(args) {
  const end = args.indexOf('--');
  const own = end < 0 ? args : args.slice(0, end);
  if (own.length > 1 || (own.length === 1 && own[0] !== '--quick')) {
    console.error('Usage: npm run test:package -- [--quick] [-- <arguments of jest>]');
    process.exit(2);
  }
  return { quick: own.length === 1, jestArgs: end < 0 ? [] : args.slice(end + 1) };
}

function chosenSpecs() {
  const all = readdirSync(join(root, 'spec'), { recursive: true })
    .filter((file) => file.endsWith('.spec.ts') && !/^(docs|package|types)\//.test(file))
    .map((file) => posix.join('spec', file));
  const fit = all.filter((file) => isPublic(file)).sort();
  const chosen = quick ? QUICK : fit;
  const unfit = chosen.filter((file) => !fit.includes(file));
  if (unfit.length > 0) throw new Error(`these need inner rooms of lib/: ${unfit.join(', ')}`);
  console.log(
    `${chosen.length} of ${all.length} spec files, ${fit.length} of which use the public face only`,
  );
  return chosen;
}

/** Whether a spec, and what it imports of spec/ and example-app/, gets along without the sources of the package. */
function isPublic(file, seen = new Set()) {
  if (seen.has(file)) return true;
  seen.add(file);
  const source = readFileSync(join(root, file), 'utf8');
  // A file of lib/ or dist/ that is read and not imported.
  if (/['"`](?:\.\.\/)*(?:lib|dist)(?:\/|['"`])/.test(source.replace(/^import[^;]*;/gm, ''))) return false;
  return importedBy(source)
    .map((path) => posix.join(dirname(file), path).replace(/\.js$/, '.ts'))
    .every((path) => !path.startsWith('lib/') && (!path.endsWith('.ts') || isPublic(path, seen)));
}

/** The files that are there at run time, types being gone by then, and those that are processes of their own. */
function importedBy(source) {
  const imported = [...source.matchAll(/^(?:import|export)\s([^;'"]*?)(?:from\s+)?'(\.[^']+)';/gm)]
    .filter(([, names]) => !isOnlyTypes(names))
    .map(([, , path]) => path);
  const started = [...source.matchAll(/'(\.[^']+-process\.ts)'/g)].map(([, path]) => path);
  return [...imported, ...started];
}

function isOnlyTypes(names) {
  if (/^type\b/.test(names)) return true;
  const listed = /^\{([^}]*)\}\s*$/.exec(names)?.[1].split(',');
  return listed?.every((name) => /^\s*(type\s|$)/.test(name)) === true;
}

/** What npm puts there is the package, its peers and what these need. What the specs are run with is lent to the project. */
function install(tarball) {
  const peers = Object.keys(peerDependencies).map((name) => [name, versionOf(name)]);
  const dependencies = { 'oidc-provider-ciba': `file:${tarball}`, ...Object.fromEntries(peers) };
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module', dependencies }),
  );
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  execFileSync('npm', ['install', ...quiet], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
  for (const name of [...Object.keys(devDependencies), '@jest/globals']) {
    const link = join(project, 'node_modules', name);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
}

function versionOf(name) {
  return readJson('node_modules', name, 'package.json').version;
}

/** Everything but the package itself. */
function copySpecs() {
  const wanted = ['spec', 'example-app', 'docs', 'tools', '*.md'];
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...wanted];
  const files = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files.filter((name) => existsSync(join(root, name)))) {
    cpSync(join(root, file), join(project, file));
  }
  // Processes of their own find the sources of the package by it.
  writeFileSync(join(project, 'spec/tsconfig.json'), '{}');
  cpSync(join(root, 'jest.config.mjs'), join(project, 'jest.base.mjs'));
  writeFileSync(
    join(project, 'jest.config.mjs'),
    `import base from './jest.base.mjs';
const { '^(\\\\.{1,2}/.*)\\\\.js$': sources } = base.moduleNameMapper;
export default { ...base, moduleNameMapper: { '^(\\\\.{1,2}/.*)\\\\.js$': sources }, reporters: ['default'] };
`,
  );
}

function readJson(...path) {
  return JSON.parse(readFileSync(join(root, ...path), 'utf8'));
}
