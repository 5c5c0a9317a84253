/** How much of a text of a client's is shown, in characters. */
export const LONGEST = 300;

/** And of a client's name. */
const LONGEST_NAME = 100;

/**
 * Invisible characters that belong to what they stand beside, one each: joiners within emoji, and the variation selectors of emoji,
 * keycaps, Chinese characters and Mongolian letters. Anywhere else they can hide a text within a text.
 */
const PART_OF_A_SIGN = [
  /(?<=\p{Extended_Pictographic}[\u{FE0F}\u{1F3FB}-\u{1F3FF}]?)\u200D\p{Extended_Pictographic}/u,
  /(?<=\p{Extended_Pictographic})[\uFE0E\uFE0F]/u,
  /\uFE0F\u20E3/u,
  /(?<=\p{Script=Han})[\u{E0100}-\u{E01EF}]/u,
  /(?<=[\u1820-\u18AA])[\u180B-\u180D\u180F]/u,
];

/**
 * Characters that steer a screen instead of being seen on it: controls, line and paragraph separators, bidirectional and zero-width
 * formats, tags, variation selectors, fillers, private use, unassigned ones and lone surrogates.
 */
const STEERING = new RegExp(
  `(?!${PART_OF_A_SIGN.map(({ source }) => source).join('|')})` +
    '[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Co}\\p{Cn}\\p{Cs}\\p{Default_Ignorable_Code_Point}\\u2800]',
  'gu',
);

/** A space of another width or kind than the plain one. */
const OTHER_SPACE = /(?! )\p{Zs}/gu;

/** A letter with more marks than any language writes: they would run over the lines above and below. */
const STACKED = /(\p{M}{3})\p{M}+/gu;

/**
 * A text of a client's as a person may be shown it: on one line, in the order in which it is written, with what cannot be seen made
 * visible as `‹U+202E›`, and cut where it is too long. It is text still: who puts it into HTML escapes it.
 */
export function displayable(text: string, longest: number = LONGEST): string {
  const shown = text.replace(STEERING, visible).replace(OTHER_SPACE, ' ').replace(STACKED, '$1');
  const characters = [...shown];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : shown;
}

/** Whether {@link displayable} shows all of a text. */
export function isShown(text: string, longest: number): boolean {
  return displayable(text, longest) === displayable(text, Number.POSITIVE_INFINITY);
}

/** Who asks, as a person may be shown it: the client's name, or its id where the name shows nothing. */
export function askerOf({
  clientName,
  clientId,
}: {
  clientName: string | undefined;
  clientId: string;
}): string {
  return displayable(clientName ?? '', LONGEST_NAME).trim() || displayable(clientId, LONGEST_NAME);
}

function visible(character: string): string {
  return `‹U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}›`;
}
