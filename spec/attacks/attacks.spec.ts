import { readdirSync, readFileSync } from 'node:fs';
import { textsOf } from '../../tools/citing-specs.mjs';
import { attacks } from './attacks.js';
import { runsOf } from './runs.mjs';

const spec = new URL('../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, spec), 'utf8');
const runs = runsOf();

test('every attack is there once, from A01 to A96', () => {
  const ids = Array.from({ length: 96 }, (_, at) => `A${String(at + 1).padStart(2, '0')}`);
  expect(attacks.map(({ id }) => id)).toEqual(ids);
});

test.each(attacks.map((attack) => [attack.id, attack] as const))(
  '%s says what is sent and what it gets, and is shown',
  (id, attack) => {
    expect(attack.sent.length).toBeGreaterThan(2);
    expect(attack.gets.length).toBeGreaterThan(2);
    const here = runs.filter(({ ids }) => ids.includes(id));
    expect(here.length).toBeLessThanOrEqual(1);
    expect(here.length + attack.shown.length).toBeGreaterThan(0);
    expect(here.every(({ group }) => group === attack.group)).toBe(true);
  },
);

test('nothing is run that is no attack', () => {
  const ids = new Set(attacks.map(({ id }) => id));
  expect(runs.flatMap((run) => run.ids).filter((id) => !ids.has(id))).toEqual([]);
  expect(runs).toHaveLength(new Set(attacks.map(({ group }) => group)).size);
});

test.each(attacks.flatMap(({ id, shown }) => shown.map(([file, title]) => [id, file, title] as const)))(
  '%s is shown in %s: %s',
  (_id, file, title) => {
    expect(textsOf(read(file))).toContain(title);
  },
);

test('a file that has no such test is found out', () => {
  expect(textsOf(read('delivery/lookup.spec.ts'))).not.toContain('a test that nobody has written');
  expect(readdirSync(spec)).toContain('attacks');
});
