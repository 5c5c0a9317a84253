import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { publint } from 'publint';
import { packInto } from '../../tools/pack.mjs';

let folder: string;
let tarball: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ciba-tarball-'));
  tarball = await readFile(await packInto(folder));
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The same tarball with a text in it replaced by one of the same length. */
function broken(from: string, to: string): Buffer {
  expect(to).toHaveLength(from.length);
  const bytes = gunzipSync(tarball).toString('latin1');
  expect(bytes).toContain(from);
  return gzipSync(Buffer.from(bytes.replaceAll(from, to), 'latin1'));
}

/** What publint says, suggestions too. */
async function said(packed: Buffer): Promise<string[]> {
  const { buffer, byteOffset, byteLength } = packed;
  const { messages } = await publint({
    pack: { tarball: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer },
    strict: true,
  });
  return messages.map(({ code, path }) => `${code} ${path.join('.')}`);
}

/** What are-the-types-wrong says of those who import the package, and of those who require it. */
async function wrongTypes(packed: Buffer): Promise<string[]> {
  const result = await checkPackage(createPackageFromTarballData(packed));
  if (!result.types) return ['there are no types'];
  return result.problems
    .filter((problem) => !('resolutionKind' in problem && problem.resolutionKind === 'node10'))
    .filter(({ kind }) => kind !== 'CJSResolvesToESM')
    .map((problem) => `${problem.kind} ${'entrypoint' in problem ? problem.entrypoint : ''}`.trim());
}

describe('the tarball', () => {
  test('has nothing that publint finds', async () => {
    expect(await said(tarball)).toEqual([]);
  });

  test('control: publint finds a file that is not there', async () => {
    expect(await said(broken('"./dist/index.js"', '"./dist/indes.js"'))).toContainEqual(
      expect.stringMatching(/^FILE_DOES_NOT_EXIST exports\.\.\.default/),
    );
  });

  // `node10` knows no `exports`. A CommonJS module that requires an ES module is what Node allows from 20.19 on.
  test('has types that belong to what is imported, by every public path', async () => {
    expect(await wrongTypes(tarball)).toEqual([]);
  });

  test.each([
    {
      what: 'types that are not there',
      from: '"./dist/channels/sms.d.ts"',
      to: '"./dist/channels/sns.d.ts"',
      finds: 'FallbackCondition ./channels/sms',
    },
    {
      what: 'ES modules that pass for CommonJS',
      from: '"type": "module"',
      to: '"tipe": "module"',
      finds: 'UnexpectedModuleSyntax',
    },
  ])('control: are-the-types-wrong finds $what', async ({ from, to, finds }) => {
    expect(await wrongTypes(broken(from, to))).toContain(finds);
  });
});
