/**
 * Every code a {@link CibaError} can carry, with what it means.
 *
 * - `invalid_option` an option of `createCiba` or of `configure` is wrong; the message names it
 * - `not_attached` the plugin is not tied to the provider: `ciba.configure` or `ciba.router` was not called, or with another
 * - `not_found` no request has this handle, or it is past its retention
 * - `forbidden` somebody other than the hinted account tried to decide
 * - `already_decided` the request has an outcome; {@link CibaError.outcome} says which
 * - `expired` the request ended before the decision came
 * - `acr_not_met` the approval's `acr` is not one that the client insists on
 * - `invalid_decision` the decision itself is malformed
 * - `wrong_number` the approval's number is not the one on the asking screen; the request is denied by it
 * - `unfit_user_code` the user code is too short, too long, or the account's password
 * - `not_deliverable` nothing is left to tell the client: it was told, the request ended, or its tokens were revoked
 * - `store_unavailable` the store did not answer in time; whether it did what it was asked is not known. Or what it holds cannot be decrypted
 */
export type CibaErrorCode =
  | 'invalid_option'
  | 'not_attached'
  | 'not_found'
  | 'forbidden'
  | 'already_decided'
  | 'expired'
  | 'acr_not_met'
  | 'invalid_decision'
  | 'wrong_number'
  | 'unfit_user_code'
  | 'not_deliverable'
  | 'store_unavailable';

/** How a request ended, as a later decision is told. */
export type Outcome = 'approved' | 'denied' | 'cancelled' | 'expired';

/**
 * The one error class of the plugin. `switch (error.code)` tells the cases apart.
 *
 * `message` is fit for a person or a client to read; what only a log may hold is in `cause`.
 */
export class CibaError extends Error {
  override readonly name = 'CibaError';
  readonly code: CibaErrorCode;
  /** With `already_decided` and `expired`: the outcome that stands. */
  readonly outcome: Outcome | undefined;

  constructor(code: CibaErrorCode, message: string, details: { outcome?: Outcome; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.outcome = details.outcome;
  }
}

/** The error for a wrong option, with the option's path first. */
export function invalidOption(path: string, sentence: string): CibaError {
  return new CibaError('invalid_option', `${path} ${sentence}`);
}
