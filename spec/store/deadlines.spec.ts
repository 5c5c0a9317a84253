import { Deadlines } from '../../lib/store/deadlines.js';
import { until } from '../support/until.js';

/** Keeps this process from hearing anything for so many milliseconds. */
function beBusy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test('a process that was away itself waits once more, and not for ever', async () => {
  const late: unknown[] = [];
  new Deadlines(10, 'it').begin((error) => late.push(error));
  let turns = 0;
  await until('it is over', () => {
    turns += 1;
    // Away again and again: each look comes late.
    if (turns < 50) beBusy(250);
    return late.length > 0;
  });
  expect(turns).toBeGreaterThan(1);
  expect(turns).toBeLessThan(50);
  expect(late).toMatchObject([{ name: 'DeadlineError' }]);
});
