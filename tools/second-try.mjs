// A test that fails is run once more, so that one that a busy machine has spoiled does not cost the whole line of the matrix.
import { jest } from '@jest/globals';

jest.retryTimes(1, { logErrorsBeforeRetry: true });
