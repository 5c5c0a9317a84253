import { createHash } from 'node:crypto';
import { type ScriptName, scripts } from '../../lib/store/scripts.js';

let names: ReadonlyMap<string, ScriptName> | undefined;

/** Which of the plugin's scripts a command runs. Once it was asked, no script may change. */
export function scriptNameOf(args: readonly unknown[]): ScriptName | undefined {
  names ??= new Map(
    Object.entries(scripts).flatMap(([name, { lua }]) =>
      [lua, createHash('sha1').update(lua).digest('hex')].map((called) => [called, name as ScriptName]),
    ),
  );
  return names.get(String(args[0]));
}
