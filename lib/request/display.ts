/** How much of a text of a client's is shown, in characters. */
const LONGEST = 300;

/**
 * Characters that steer a screen instead of being seen on it: controls, line and paragraph separators, bidirectional and zero-width
 * formats, tags, fillers, private use, unassigned ones and lone surrogates. Zero-width joiners are kept within emoji.
 */
const STEERING =
  /(?!(?<=\p{Extended_Pictographic}[\u{FE0F}\u{1F3FB}-\u{1F3FF}]?)\u200D\p{Extended_Pictographic})(?:\u034F|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115F\u1160\u3164\uFFA0\u2800])/gu;

/** A letter with more marks than any language writes: they would run over the lines above and below. */
const STACKED = /(\p{M}{3})\p{M}+/gu;

/**
 * A text of a client's as a person may be shown it: on one line, in the order in which it is written, with what cannot be seen made
 * visible as `‹U+202E›`, and cut where it is too long. It is text still: who puts it into HTML escapes it.
 */
export function displayable(text: string, longest: number = LONGEST): string {
  const shown = text.replace(STEERING, visible).replace(STACKED, '$1');
  const characters = [...shown];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : shown;
}

function visible(character: string): string {
  return `‹U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}›`;
}
