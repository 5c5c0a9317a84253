import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { page, root } from './markdown.js';

const changelog = page('CHANGELOG.md');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

/** The versions, the newest in front. */
const sections = changelog
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    title: String(section.split('\n')[0]),
    kinds: [...section.matchAll(/^### (.+)$/gm)].map(([, kind]) => String(kind)),
    text: section,
  }));
const releases = sections.slice(1).map(({ title, ...rest }) => {
  const [, number, date] = /^\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$/.exec(title) ?? [];
  return { title, number, date, ...rest };
});

test('it is a changelog as Keep a Changelog 1.1.0 has it', () => {
  expect(changelog).toMatch(/^# Changelog\n/);
  expect(changelog).toContain('https://keepachangelog.com/en/1.1.0/');
  expect(changelog).toContain('https://semver.org/');
  expect(sections[0]?.title).toBe('[Unreleased]');
});

test('each version has a number and a day that there is, and the newest is in front', () => {
  expect(releases.length).toBeGreaterThan(0);
  for (const { title, number, date } of releases) {
    expect({ title, number }).toEqual({ title, number: expect.any(String) });
    expect(new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10)).toBe(date);
  }
  const dates = releases.map(({ date }) => String(date));
  expect(dates).toEqual([...dates].sort().reverse());
});

test('the newest version is that of the package', () => {
  expect(releases[0]?.number).toBe(version);
});

test('changes are of the six kinds, each once in a version, and none is empty', () => {
  const KINDS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
  for (const { title, kinds, text } of sections) {
    expect({ title, unknown: kinds.filter((kind) => !KINDS.includes(kind)) }).toEqual({ title, unknown: [] });
    expect(new Set(kinds).size).toBe(kinds.length);
    for (const kind of kinds) expect(text).toMatch(new RegExp(`^### ${kind}\\n\\n- `, 'm'));
  }
  for (const { kinds } of releases) expect(kinds.length).toBeGreaterThan(0);
});
