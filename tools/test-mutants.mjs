// Changes the core of the stores in one place at a time, and runs the specs of the stores on each change: whatever none of them notices is
// printed. Ends with 1 where fewer than 90 % are noticed. `--every 3` takes each third change, `--from 1` begins with the second,
// and a word takes the files whose names hold it.
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const WANTED = 0.9;

/** A change that has a spec wait for ever is noticed, too. In milliseconds. */
const PATIENCE = 240_000;

const root = fileURLToPath(new URL('..', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { every: { type: 'string', default: '1' }, from: { type: 'string', default: '0' } },
});

/** What is put in place of what. Each fits within a line; a comment is none, and an index in brackets no number. */
const SWAPS = {
  lua: [
    [/ == /, () => ' ~= '],
    [/ ~= /, () => ' == '],
    [/ and /, () => ' or '],
    [/ or /, () => ' and '],
    [/\bnot /, () => ''],
    [/^\s*redis\.call\(.*$/, () => ''],
    [/^\s*if .* then return .* end$/, () => ''],
  ],
  ts: [
    [/ === /, () => ' !== '],
    [/ !== /, () => ' === '],
    [/ && /, () => ' || '],
    [/ \|\| /, () => ' && '],
    [/ \?\? /, () => ' && '],
    [/(?<=[ (])!(?=[a-z#])/, () => ''],
    [/^\s*(this|record|delete|await)\b[^{]*;$/, () => ''],
    [/^\s*if \(.*\) return.*;$/, () => ''],
  ],
  both: [
    [/ < /, () => ' <= '],
    [/ <= /, () => ' < '],
    [/ > /, () => ' >= '],
    [/ >= /, () => ' > '],
    [/ \+ /, () => ' - '],
    [/ - /, () => ' + '],
    [/(?<![\w'[])\d[\d_]*(?![\w'])/, (number) => String(Number(number.replaceAll('_', '')) + 1)],
  ],
};

/** What is changed, and the specs that see it soonest. */
const LUA = 'lib/store/lua';
const IN_REDIS = ['spec/store/contract.spec.ts', '-t', 'a store in Redis [a-z]'];
const IN_MEMORY = ['spec/store/contract.spec.ts', '-t', 'a store in memory'];
const ALL = ['spec/store'];

const files = [
  ...[LUA, `${LUA}/include`].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => ({ file: `${folder}/${name}`, soonest: IN_REDIS })),
  ),
  ...['lifecycle', 'memory', 'memory-limits', 'memory-outbox', 'memory-prompts'].map((name) => ({
    file: `lib/store/${name}.ts`,
    soonest: IN_MEMORY,
  })),
].filter(({ file }) => file.endsWith('.lua') || file.endsWith('.ts'));

function* mutantsOf({ file, soonest }) {
  const isLua = file.endsWith('.lua');
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const head = isLua && lines[0].startsWith('--[[') ? lines.indexOf(']]') + 1 : 0;
  for (const [at, line] of lines.entries()) {
    if (at < head || /^\s*(--|\/?\*|\/\/|import |export type |} from )/.test(line)) continue;
    const code = isLua ? line.replace(/ -- .*$/, '') : line;
    for (const [pattern, swap] of [...SWAPS[isLua ? 'lua' : 'ts'], ...SWAPS.both]) {
      for (const { 0: found, index } of code.matchAll(new RegExp(pattern, 'g'))) {
        const changed = code.slice(0, index) + swap(found) + code.slice(index + found.length);
        const text = lines.with(at, changed).join('\n');
        yield {
          file,
          soonest,
          text,
          told: `${file}:${at + 1}: ${line.trim()}  →  ${changed.trim() || '(nothing)'}`,
        };
      }
    }
  }
}

const all = files
  .filter(({ file }) => positionals.every((word) => file.includes(word)))
  .flatMap((each) => [...mutantsOf(each)]);
const mutants = all.filter((_, index) => index % Number(values.every) === Number(values.from));
console.log(`${mutants.length} of ${all.length} changes`);

const unnoticed = [];
const rest = [...mutants];
await Promise.all(cpus().map(workThrough));
for (const { told } of unnoticed) console.log(`nobody noticed ${told}`);
const score = 1 - unnoticed.length / mutants.length;
console.log(
  `${mutants.length - unnoticed.length} of ${mutants.length} noticed: ${(score * 100).toFixed(1)} %`,
);
process.exitCode = score < WANTED ? 1 : 0;

/** Tries one change after another in a copy of the project. */
async function workThrough() {
  const place = mkdtempSync(join(tmpdir(), 'ciba-mutants-'));
  try {
    const listed = execFileSync(
      'git',
      ['ls-files', 'lib', 'spec', 'tools', 'docs', '*.json', '*.js', '*.mjs'],
      { cwd: root, encoding: 'utf8' },
    );
    for (const file of listed.trim().split('\n')) {
      mkdirSync(dirname(join(place, file)), { recursive: true });
      cpSync(join(root, file), join(place, file));
    }
    symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
    // A spec that fails here would notice everything.
    if (!(await passes(place, ALL))) throw new Error('the specs fail before anything is changed');
    for (let mutant = rest.shift(); mutant !== undefined; mutant = rest.shift()) {
      const original = join(place, mutant.file);
      writeFileSync(original, mutant.text);
      execFileSync(process.execPath, ['tools/build-lua.mjs'], { cwd: place });
      if ((await passes(place, mutant.soonest)) && (await passes(place, ALL))) unnoticed.push(mutant);
      cpSync(join(root, mutant.file), original);
      if (rest.length % 20 === 0) console.log(`${rest.length} to go, ${unnoticed.length} not noticed`);
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** In a group of its own: a change may leave a Redis behind that does not end. */
function passes(cwd, specs) {
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--silent',
    '--bail',
    '-i',
  ];
  const child = spawn(process.execPath, [...jest, ...specs, '--reporters=default'], {
    cwd,
    stdio: 'ignore',
    detached: true,
  });
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {}
  };
  const timer = setTimeout(end, PATIENCE);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(timer);
      end();
      resolve(code === 0);
    });
  });
}
