import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const operations = new URL('../../docs/operations.md', import.meta.url);

/** What a Redis user is for, each a line of the document that adds to those before it. */
export type Rights = 'poll' | 'telling' | 'long polling' | 'cluster';

const ORDER: readonly Rights[] = ['poll', 'telling', 'long polling', 'cluster'];

/** The rules of the document's `ACL SETUSER ciba …` lines. */
export function documentedRules(): Readonly<Record<Rights, readonly string[]>> {
  const lines = readFileSync(operations, 'utf8').matchAll(/^ACL SETUSER ciba (.+)$/gm);
  const rules = [...lines].map(([, line = '']) => line.split(' '));
  if (rules.length !== ORDER.length) throw new Error(`there are ${rules.length} such lines in the document`);
  return Object.fromEntries(ORDER.map((name, index) => [name, rules[index] ?? []])) as never;
}

/** The commands that rules name. */
export const commandsIn = (rules: readonly string[]): string[] =>
  rules.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1));

/** Makes a user by these rules, whose name, password and prefix are the name given. */
export async function makeUser(client: Redis, name: string, rules: readonly string[]): Promise<void> {
  const named = rules.map((rule) =>
    rule.startsWith('>') ? `>${name}` : rule.replace(/^([~&]\{?)ciba\b/, `$1${name}`),
  );
  await client.call('ACL', 'SETUSER', name, ...named);
}

/** The commands that somebody ran since the last {@link forgetCommands}, but for those that ACL leaves to everybody. */
export async function commandsRun(client: Redis): Promise<string[]> {
  const stats = await client.info('commandstats');
  const names = [...stats.matchAll(/^cmdstat_([^:]+):calls=[1-9]/gm)].map(([, name = '']) => name);
  return names.filter((name) => !['auth', 'hello', 'config|resetstat'].includes(name)).sort();
}

export async function forgetCommands(client: Redis): Promise<void> {
  await client.config('RESETSTAT');
}
