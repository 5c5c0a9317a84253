import { randomBytes } from 'node:crypto';
import { handleOf } from '../../lib/request/handle.js';
import { rounds } from '../support/rounds.js';
import { pluginServer } from '../support/server.js';

/** How many are made, and how many of a control’s, which is found sooner. */
const [COUNT, FEW] = [rounds(20_000, 1_000_000), 20_000];
const CHARACTERS = 64;

/** Chance exceeds this once in a thousand million places (chi-squared, 63 degrees of freedom). */
const MOST = 156;

/** How far the characters at each place are from being equally frequent. */
class Frequencies {
  readonly #places: Map<string, number>[] = [];
  #count = 0;

  add(id: string): void {
    this.#count += 1;
    for (const [place, character] of [...id].entries()) {
      this.#places[place] ??= new Map();
      const seen = this.#places[place];
      seen.set(character, (seen.get(character) ?? 0) + 1);
    }
  }

  /** Of the place that is furthest. */
  chiSquared(): number {
    const expected = this.#count / CHARACTERS;
    const never = (seen: number): number => (CHARACTERS - seen) * expected;
    return Math.max(
      ...this.#places.map(
        (seen) =>
          never(seen.size) +
          [...seen.values()].reduce((sum, times) => sum + (times - expected) ** 2 / expected, 0),
      ),
    );
  }
}

function judged(make: () => string, count: number) {
  const [ids, handles] = [new Set<string>(), new Set<string>()];
  const [frequencies, ofHandles] = [new Frequencies(), new Frequencies()];
  for (let made = 0; made < count; made += 1) {
    const id = make();
    const handle = handleOf(id);
    ids.add(id);
    handles.add(handle);
    frequencies.add(id);
    ofHandles.add(handle);
  }
  return { ids, handles, furthest: frequencies.chiSquared(), furthestOfHandles: ofHandles.chiSquared() };
}

describe('an auth_req_id', () => {
  it('is one of 2^258, none comes twice, and every character is as likely at every place, as in its handle [ACK-2] [ACK-3]', async () => {
    const server = pluginServer();
    const { BackchannelAuthenticationRequest: Model } = server.provider;
    const request = new Model({} as never) as unknown as { generateTokenId(): string };
    const { ids, handles, furthest, furthestOfHandles } = judged(() => request.generateTokenId(), COUNT);
    await server.close();
    expect([...ids].filter((id) => !/^[\w-]{43}$/.test(id))).toEqual([]);
    expect([ids.size, handles.size]).toEqual([COUNT, COUNT]);
    expect(furthest).toBeLessThan(MOST);
    expect(furthestOfHandles).toBeLessThan(MOST);
  });

  it.each<[string, () => string, 'ids' | 'furthest']>([
    ['of a few', () => randomBytes(2).toString('hex'), 'ids'],
    ['with a character that comes more often', biased, 'furthest'],
  ])('control: one %s is found', (_which, make, by) => {
    const found = judged(make, FEW);
    if (by === 'ids') expect(found.ids.size).toBeLessThan(FEW);
    else expect(found.furthest).toBeGreaterThan(MOST);
  });
});

/** A byte by a remainder of 62: eight characters are a quarter more likely, and two never come. */
function biased(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  return [...randomBytes(43)].map((byte) => alphabet[byte % alphabet.length]).join('');
}
