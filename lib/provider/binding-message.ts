import { errors } from 'oidc-provider';
import { displayable } from '../request/display.js';

/** The longest message that every screen shows whole, in characters. */
const LONGEST = 64;

/**
 * Letters of every script with their marks, digits, punctuation, symbols and plain spaces. What a screen may not show as it
 * was sent is not among them: control, format (bidirectional, zero-width, tag), private and unassigned characters. Nor is what has
 * one of these classes and is invisible all the same.
 */
const DISPLAYABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;

/** A word that mixes Latin with letters that look like it. */
const LOOKALIKE = /(?=\S*\p{Script=Latin})(?=\S*[\p{Script=Cyrillic}\p{Script=Greek}])\S/u;

/**
 * The default rule for a `binding_message`: short plain text in any language, shown unchanged or refused (CIBA Core 7.1, 13).
 * @throws {errors.InvalidBindingMessage}
 */
export function checkBindingMessage(message: string | undefined): void {
  if (message === undefined) return;
  const wrong =
    [...message].length > LONGEST
      ? `must not be longer than ${LONGEST} characters`
      : message.trim() !== message || message === ''
        ? 'must not begin or end with a space'
        : !DISPLAYABLE.test(message) || displayable(message) !== message
          ? 'must hold letters, digits, punctuation, symbols and spaces only'
          : message.normalize('NFC') !== message
            ? 'must be in Unicode normalization form C'
            : LOOKALIKE.test(message)
              ? 'must not mix alphabets within a word'
              : undefined;
  if (wrong) throw new errors.InvalidBindingMessage(`binding_message ${wrong}`);
}
