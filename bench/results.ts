import { FIGURES, type Figure, type FigureKey } from './figures.js';
import type { Machine } from './machine.js';

/** What `bench/results.json` holds. */
export interface Results {
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

/** Looks a figure up in what was measured. */
export type ValueOf = (key: FigureKey) => number;

export function valuesIn({ figures }: Results): ValueOf {
  return (key) => {
    const found = figures.find(({ name }) => name === FIGURES[key].name);
    if (!found) throw new Error(`bench/results.json has no "${FIGURES[key].name}": run npm run bench`);
    return found.value;
  };
}
