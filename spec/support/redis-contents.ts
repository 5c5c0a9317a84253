import type { Redis } from 'ioredis';

/** The keys whose name or contents hold this text, whatever their type; also where it lies in pieces. */
export async function holdersOf(client: Redis, text: string): Promise<string[]> {
  return [...(await contentsOf(client))].filter(([, held]) => held.includes(text)).map(([key]) => key);
}

/** Everything on the server, by key: its name, and all that it holds, as one text. */
export async function contentsOf(client: Redis): Promise<ReadonlyMap<string, string>> {
  const contents = new Map<string, string>();
  for (const key of await client.keys('*')) {
    contents.set(key, [key, ...(await heldBy(client, key))].join('\n'));
  }
  return contents;
}

async function heldBy(client: Redis, key: string): Promise<string[]> {
  const type = await client.type(key);
  switch (type) {
    // It has ended meanwhile.
    case 'none':
      return [];
    case 'string':
      return [(await client.get(key)) ?? ''];
    case 'hash': {
      const fields = await client.hgetall(key);
      return [...Object.entries(fields).flat(), ...joined(fields)];
    }
    case 'list':
      return client.lrange(key, 0, -1);
    case 'set':
      return client.smembers(key);
    case 'zset':
      return client.zrange(key, '0', '-1', 'WITHSCORES');
    case 'stream':
      return (await client.xrange(key, '-', '+')).flat(2) as string[];
    default:
      throw new Error(`${key} is a ${type}, which nobody looks into`);
  }
}

/** The texts of a request, which lie in numbered pieces. */
function joined(fields: Readonly<Record<string, string>>): string[] {
  const texts = new Map<string, string>();
  for (let piece = 1; ; piece += 1) {
    const there = Object.keys(fields).filter((field) => field.endsWith(String(piece)));
    const names = there
      .map((field) => field.slice(0, -String(piece).length))
      .filter((name) => !/\d$/.test(name));
    if (names.length === 0) return [...texts.values()];
    for (const name of names) texts.set(name, (texts.get(name) ?? '') + fields[`${name}${piece}`]);
  }
}
