import { describe, expect, test } from '@jest/globals';
import { citingSpecs, textsOf } from '../tools/citing-specs.mjs';
import { citationsOf, citedIn, faultsOf, ranInFull } from '../tools/requirements.mjs';
import { marked, type Requirement, requirements } from './requirements.js';

const row = (id: string, more: Partial<Requirement> = {}): Requirement => ({
  id,
  level: 'MUST',
  ourReading: false,
  section: 'CIBA §1',
  group: 'Rows',
  what: `what ${id} asks for`,
  ...more,
});
const rows = [
  row('ROW-1'),
  row('ROW-2', { level: 'SHOULD' }),
  row('ROW-3', { level: 'MAY' }),
  row('ROW-4', { notOurs: 'somebody else’s' }),
  row('ROW-5', { gap: 'something is missing' }),
];
const passed = ['ROW-1', 'ROW-2'];

describe('the requirements', () => {
  test('are 316, each with an id of its own', () => {
    expect(requirements).toHaveLength(316);
    expect(new Set(requirements.map(({ id }) => id)).size).toBe(316);
  });

  test('say all that there is to say of a row', () => {
    for (const { id, level, section, what } of requirements) {
      expect(id).toMatch(/^[A-Z]{2,}-\d+$/);
      expect(['MUST', 'SHOULD', 'MAY']).toContain(level);
      expect(section).not.toBe('');
      expect(what).toMatch(/^.{5,130}$/);
    }
  });

  test('are 24 groups, each with one name in its ids and counted from one without a hole', () => {
    const groups = [...new Set(requirements.map(({ group }) => group))].map((name) =>
      requirements.filter(({ group }) => group === name).map(({ id }) => id),
    );
    expect(groups).toHaveLength(24);
    for (const ids of groups) {
      const name = ids[0]?.split('-')[0];
      expect(ids).toEqual(ids.map((_, index) => `${name}-${index + 1}`));
    }
  });

  test('are marked as a gap or as not ours only where there is a row, and only as one of both', () => {
    const found = requirements.filter(({ gap, notOurs }) => gap !== undefined || notOurs !== undefined);
    expect(found.map(({ id }) => id).sort()).toEqual([...marked].sort());
  });

  test('hold whatever the specs cite', () => {
    const known = new Set(requirements.map(({ id }) => id));
    expect([...citingSpecs()].filter(([id]) => !known.has(id))).toEqual([]);
  });
});

describe('the gate', () => {
  test('is content where every row is cited that has to be', () => {
    expect(faultsOf(rows, { passed, failed: [] })).toEqual([]);
  });

  test.each(passed)('misses the one citation of %s where it is taken away', (id) => {
    const left = passed.filter((other) => other !== id);
    expect(faultsOf(rows, { passed: left, failed: [] })).toEqual([
      expect.stringMatching(`^${id} \\((MUST|SHOULD)\\) is cited by no spec: `),
    ]);
  });

  test('does not count a spec that fails', () => {
    expect(faultsOf(rows, { passed: ['ROW-2'], failed: ['ROW-1'] })).toEqual([
      'ROW-1 (MUST) is cited only by specs that fail: what ROW-1 asks for',
    ]);
    expect(faultsOf(rows, { passed, failed: ['ROW-1'] })).toEqual([]);
  });

  test.each(['passed', 'failed'])('knows no row of that name, in a spec that %s', (status) => {
    const citations = { passed, failed: [], [status]: [...(status === 'passed' ? passed : []), 'ROW-99'] };
    expect(faultsOf(rows, citations)).toEqual(['ROW-99 is cited and is no requirement']);
  });

  test('finds a gap that has been closed, and leaves one that a failing spec shows', () => {
    expect(faultsOf(rows, { passed: [...passed, 'ROW-5'], failed: [] })).toEqual([
      'ROW-5 is marked as a gap and a spec of it passes: something is missing',
    ]);
    expect(faultsOf(rows, { passed, failed: ['ROW-5'] })).toEqual([]);
  });

  test('has nothing against a spec of what need not be tested', () => {
    expect(faultsOf(rows, { passed: [...passed, 'ROW-3', 'ROW-4'], failed: [] })).toEqual([]);
  });
});

describe('a run', () => {
  const files = ['a.spec.ts', 'b.spec.ts'];
  const ran = (...names: string[]) => names.map((testFilePath) => ({ testFilePath, testResults: [] }));

  test('is a full one where every spec ran', () => {
    expect(ranInFull(files, {}, { testResults: ran(...files) })).toBe(true);
  });

  test('is none where a spec was left out, where tests were chosen by name, or where it was stopped', () => {
    expect(ranInFull(files, {}, { testResults: ran('b.spec.ts') })).toBe(false);
    expect(ranInFull(files, { testNamePattern: 'one' }, { testResults: ran(...files) })).toBe(false);
    expect(ranInFull(files, {}, { testResults: ran(...files), wasInterrupted: true })).toBe(false);
  });
});

describe('a citation', () => {
  test.each([
    ['one in brackets', 'says so [ROW-1]', ['ROW-1']],
    ['several pairs of brackets', 'says so [ROW-1] [ROW-2]', ['ROW-1', 'ROW-2']],
    ['several in one pair', 'says so [ROW-1, ROW-2]', ['ROW-1', 'ROW-2']],
    ['one in front', 'ROW-1: says so', ['ROW-1']],
    ['no name of something else', 'UTF-8 and SHA-256: [A35], [0-9], [ES-x]', []],
  ])('is %s', (_what, name, ids) => {
    expect(citedIn(name)).toEqual(ids);
  });

  test('counts as passed or failed by its test, also where a describe has it', () => {
    const test = (status: string, title: string) => ({ status, title, ancestorTitles: ['all of [ROW-1]'] });
    const results = [
      {
        testFilePath: 'a.spec.ts',
        testResults: [test('passed', 'one [ROW-2]'), test('failed', 'two [ROW-3]')],
      },
      {
        testFilePath: 'b.spec.ts',
        testResults: [test('pending', 'three [ROW-4]'), test('todo', 'four [ROW-5]')],
      },
    ];
    expect(citationsOf(results)).toEqual({ passed: ['ROW-1', 'ROW-2'], failed: ['ROW-1', 'ROW-3'] });
  });

  test('is found in names and in the tables that names are made of, not in comments', () => {
    const source = "// [ROW-1]\ntest.each([['a [ROW-2]', 1]] as const)('%s', () => { f(`[ROW-3]`); });";
    expect(textsOf(source).flatMap(citedIn)).toEqual(['ROW-2', 'ROW-3']);
  });
});
