import { CibaError } from '../../lib/errors.js';

/** A busy machine keeps the store waiting for longer than it waits: what it may not have done is done again, as the same. */
export async function patiently<T>(step: () => Promise<T>, tries = 20): Promise<T> {
  return step().catch((error: unknown) => {
    const unanswered = error instanceof CibaError && error.code === 'store_unavailable';
    if (!unanswered || tries === 1) throw error;
    return patiently(step, tries - 1);
  });
}
