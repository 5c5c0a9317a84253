// Turns lib/store/lua/<name>-<keys>.lua into lib/store/scripts.ts, so that the scripts ship as code: no file is read at
// start, and a bundler keeps them. A line `--- @include "name"` is replaced by lib/store/lua/include/name.lua.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../lib/store/lua/', import.meta.url);
const include = (source) =>
  source.replace(/^--- @include "([a-z-]+)"\n/gm, (_, name) =>
    readFileSync(new URL(`include/${name}.lua`, folder), 'utf8'),
  );

const names = [];
const scripts = readdirSync(folder)
  .filter((file) => file.endsWith('.lua'))
  .sort()
  .map((file) => {
    const [, name, keys] = /^([a-z]+)-(\d+)\.lua$/.exec(file);
    names.push(name);
    const lua = include(readFileSync(new URL(file, folder), 'utf8'));
    if (/[`\\$]/.test(lua)) throw new Error(`${file} holds a character that a template literal would change`);
    return `  ${name}: {\n    numberOfKeys: ${keys},\n    lua: \`${lua}\`,\n  },\n`;
  });

const module = `// Made by tools/build-lua.mjs from lib/store/lua: change it there.

/** A Lua script and the number of keys it touches. */
export interface Script {
  readonly numberOfKeys: number;
  readonly lua: string;
}

/** The name of a script. */
export type ScriptName = ${names.map((name) => `'${name}'`).join(' | ')};

/** One script per state change, by name. */
export const scripts: Readonly<Record<ScriptName, Script>> = {
${scripts.join('')}};
`;
const target = new URL('../lib/store/scripts.ts', import.meta.url);
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== module) {
    console.error('lib/store/scripts.ts is not what lib/store/lua makes: run npm run build');
    process.exit(1);
  }
} else {
  writeFileSync(target, module);
}
