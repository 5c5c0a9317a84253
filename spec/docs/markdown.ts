import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the repository is. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Every page, by its path. */
export const pages: ReadonlyMap<string, string> = new Map(
  await Promise.all(
    [
      ...(await readdir(root)),
      ...(await readdir(join(root, 'docs'))).map((file) => `docs/${file}`),
      ...(await readdir(join(root, 'example-app'))).map((file) => `example-app/${file}`),
    ]
      .filter((file) => file.endsWith('.md'))
      .map(async (file) => [file, await readFile(join(root, file), 'utf8')] as const),
  ),
);

/** One page. */
export function page(path: string): string {
  const text = pages.get(path);
  if (text === undefined) throw new Error(`there is no ${path}`);
  return text;
}

/** A fenced block of code. */
export interface Block {
  readonly language: string;
  readonly code: string;
  /** The line that it begins in. */
  readonly line: number;
}

/** The fenced blocks of a page, in their order. */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = '', 2: code = '', index }) => ({
      language,
      code,
      line: text.slice(0, index).split('\n').length + 1,
    }),
  );
}

/** A page without its blocks of code. */
export const proseOf = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');
