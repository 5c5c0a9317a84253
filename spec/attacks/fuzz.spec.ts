import { rounds } from '../support/rounds.js';
import { fuzz } from './fuzz/fuzzer.js';
import { Target } from './fuzz/target.js';

/** Said with every failure, and by the long form: the same one sends the same requests. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const COUNT = Number(process.env['FUZZ_COUNT'] ?? rounds(1500, 1_000_000));

/** What memory may grow by between the first tenth and the end, in bytes: less than a hundredth of what keeping the requests would take. */
const GROWTH = 48 * 1024 * 1024;

let target: Target | undefined;
afterEach(async () => target?.stop());

test('a server under fire answers everything, and neither crashes, nor tells back, nor grows', async () => {
  target = await Target.start('./fuzz/target-process.ts');
  const { statuses, memory, sent } = await fuzz(target, COUNT, SEED);
  if (sent > 10_000) console.info({ seed: SEED, sent, statuses, memory });
  const [early, late] = memory;
  expect(Number(late?.heap) - Number(early?.heap)).toBeLessThan(GROWTH);
  expect(Number(late?.resident) - Number(early?.resident)).toBeLessThan(2 * GROWTH);
  // It was not the door alone that was shot at: requests were taken, decided and refused for many reasons.
  for (const status of [200, 303, 400, 401, 403, 404, 405, 409])
    expect(statuses.get(status)).toBeGreaterThan(0);
}, 7_200_000);

describe('the control: a server with a fault of its own', () => {
  const prepare = async () => ({ person: 'alice' });
  const run = async (fault: string, count = 600) => {
    target = await Target.start('./fuzz/broken-process.ts', { FAULT: fault });
    // Only the server that never answers is not waited for.
    return fuzz(target, count, SEED, fault === 'silence' ? { prepare, deadline: 2000 } : { prepare });
  };

  test('none is found where there is none', async () => {
    expect((await run('')).sent).toBeGreaterThanOrEqual(600);
  });

  test.each([
    ['error', 'the answer is 500'],
    ['reflection', 'the answer holds what was sent'],
    ['page', 'the page holds HTML of a client'],
    ['stack', 'the answer holds a stack'],
    ['crash', 'the server has ended with 1'],
    ['rejection', 'the server has ended with 1'],
    ['silence', 'the server has not answered'],
    ['prototype', 'every object has x now'],
    ['envelope', 'the error has state'],
    ['cache', 'the error may be stored by caches'],
  ])('%s: %s', async (fault, sentence) => {
    await expect(run(fault, 20_000)).rejects.toThrow(sentence);
  });

  test('memory that grows is seen to grow', async () => {
    const { memory } = await run('memory', 1000);
    expect(Number(memory[1]?.heap) - Number(memory[0]?.heap)).toBeGreaterThan(GROWTH);
  });
});
