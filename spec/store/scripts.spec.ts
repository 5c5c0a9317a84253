import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type ScriptName, scripts } from '../../lib/store/scripts.js';

const root = new URL('../../', import.meta.url);
const folder = new URL('lib/store/lua/', root);
const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));

/** Statuses are not written out where a script passes on what it found stored. */
const STATUSES = [
  'pending',
  'approved',
  'claimed',
  'redeemed',
  'delivered',
  'undeliverable',
  'denied',
  'cancelled',
  'expired',
  'gone',
];

/** They answer with what they found, and with no word of their own. */
const WORDLESS = ['late', 'due', 'failed', 'pending', 'status'];

test('lib/store/scripts.ts is what lib/store/lua makes', () => {
  const check = () => execFileSync(process.execPath, ['tools/build-lua.mjs', '--check'], { cwd: root });
  expect(check).not.toThrow();
});

test('every script has a file and every file a script', () => {
  expect(files.map((file) => file.replace(/-\d+\.lua$/, '')).sort()).toEqual(Object.keys(scripts).sort());
});

describe.each(files)('%s', (file) => {
  const [, name, keys] = /^([a-z]+)-(\d+)\.lua$/.exec(file) ?? [];
  const source = readFileSync(new URL(file, folder), 'utf8');
  const [, header = '', body = ''] = /^--\[\[\n(.*?)\]\]\n(.*)$/s.exec(source) ?? [];
  /** With what its answer is made by. */
  const made = body.replace(/^--- @include "(admit|decide|reserve)"\n/gm, (_, included) =>
    // What is only compared answers nobody.
    body.includes(`and ${included}(`)
      ? ''
      : readFileSync(new URL(`include/${included}.lua`, folder), 'utf8').replaceAll(/^--.*\n/gm, ''),
  );

  test('takes as many keys as its name says, and describes and uses each', () => {
    const expected = oneTo(Number(keys));
    expect(scripts[name as ScriptName].numberOfKeys).toBe(Number(keys));
    expect(indices(header, 'KEYS')).toEqual(expected);
    expect(indices(body, 'KEYS')).toEqual(expected);
  });

  test('describes every argument that it uses and uses every argument that it describes', () => {
    expect(indices(header, 'ARGV')).toEqual(indices(body, 'ARGV'));
    expect(indices(header, 'ARGV')).toEqual(oneTo(indices(header, 'ARGV').length));
  });

  test('answers with what it describes and describes what it answers with', () => {
    const output = header.slice(header.indexOf('Output'));
    const described = words(output.replace(/\([^)]*\)/g, ''));
    const answered = words(returned(made));
    const passesStatusOn = /return \{(status|r\[9\])/.test(made);
    const reachable = (word: string): boolean =>
      words(made).includes(word) || (passesStatusOn && STATUSES.includes(word));
    expect(answered.filter((word) => !described.includes(word))).toEqual([]);
    expect(described.filter((word) => !reachable(word))).toEqual([]);
    expect(described.length > 0).toBe(!WORDLESS.includes(name ?? ''));
    expect(output).toMatch(/^Output {2}\S/);
  });
});

function indices(text: string, table: string): number[] {
  const found = [...text.matchAll(new RegExp(`${table}\\[(\\d+)\\]`, 'g'))].map(([, index]) => Number(index));
  return [...new Set(found)].sort((one, other) => one - other);
}

function oneTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** What stands behind every `return`, without what is only compared with, added or read by. */
function returned(body: string): string {
  const aside = /redis\.call\([^)]*\)|[=~]= '[a-z_]*'|\+ \d+/g;
  return [...body.matchAll(/\breturn (.*)$/gm)]
    .map(([, answer = '']) => answer.replace(aside, ''))
    .join('\n');
}

/** Quoted words, and a bare 1, 0 or false. */
function words(text: string): string[] {
  const found = [...text.matchAll(/'([a-z_]+)'|(?:^|\s)([01]|false)(?=\s|$)/gm)].map(
    ([, word, digit]) => word ?? digit,
  );
  return [...new Set(found as string[])];
}
