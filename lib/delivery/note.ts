/** What the last turn came to, as it is stored. */
export interface Note {
  /** A status code, or a word. */
  readonly last: string;
  /** How often the tokens could not be issued. */
  readonly issueFailures?: number | undefined;
}

/** A note as it is stored. */
export const noteOf = (last: string, more: Partial<Note> = {}): string => JSON.stringify({ last, ...more });

/** A note as it was stored, where there is one. */
export function readNote(note: string | undefined): Partial<Note> {
  return note === undefined ? {} : (JSON.parse(note) as Note);
}
