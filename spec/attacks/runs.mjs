// Finds which file of this folder runs which attack, by reading it and not by running it.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('./', import.meta.url);

/** The files, each with the group of attacks that it runs and their ids. */
export function runsOf() {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => {
      const source = readFileSync(new URL(file, folder), 'utf8');
      const [, group] = /^attackSpecs\('([^']+)', \{$/m.exec(source) ?? [];
      const ids = [...source.matchAll(/^ {2}(?:async )?(A\d\d)(?::|\()/gm)].map(([, id]) => id);
      return { file: `attacks/${file}`, group, ids };
    })
    .filter(({ group }) => group !== undefined);
}
