import { creating } from './contract/creating.js';
import { deciding } from './contract/deciding.js';
import { givenStoreIn } from './contract/given.js';
import { limiting } from './contract/limiting.js';
import { polling } from './contract/polling.js';
import { prompting } from './contract/prompting.js';
import { redeeming } from './contract/redeeming.js';
import { remembering } from './contract/remembering.js';
import { telling } from './contract/telling.js';
import type { Home } from './homes.js';

/** What every store promises, wherever it lives: the words of `lib/store/store.ts` and the table of `lifecycle.ts`. */
export function storeContract(home: Home): void {
  describe(`a store ${home.name}`, () => {
    const given = givenStoreIn(home);
    describe('creating', () => creating(given));
    describe('polling', () => polling(given));
    describe('deciding', () => deciding(given));
    describe('redeeming', () => redeeming(given));
    describe('remembering', () => remembering(given));
    describe('telling', () => telling(given));
    describe('limiting', () => limiting(given));
    describe('prompting', () => prompting(given));
  });
}
