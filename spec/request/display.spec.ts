import { askerOf, displayable } from '../../lib/request/display.js';

describe('a text of a client’s', () => {
  it.each([
    ['plain', 'Pay 12.50 EUR to ACME'],
    ['with marks of its language', 'Žluťoučký kůň, naïve café'],
    ['in Arabic', 'ادفع ١٢٫٥٠ يورو'],
    ['in Hebrew', 'שלם 12.50 אירו'],
    ['in Hindi', 'कृपया स्वीकृत करें'],
    ['in Chinese', '支付十二欧元'],
    ['with an emoji', 'Pay 🍕'],
    ['with a family', 'For 👨‍👩‍👧‍👦'],
    ['with a skin tone and a joiner', '👩🏽‍🚀'],
    ['with a joiner after a variation selector', '❤️‍🔥'],
    ['with a flag', '🇪🇺'],
    ['with a keycap', '1\uFE0F\u20E3'],
    ['with an emoji as text', '\u2764\uFE0E'],
    ['with a Chinese character in a variant of its own', '\u845B\u{E0100}'],
    ['that looks like markup, which is for who shows it to escape', '<b onclick="x">&amp;</b>'],
  ])('%s is shown as it is', (_, text) => {
    expect(displayable(text)).toBe(text);
  });

  it.each([
    ['an override', 'a\u202Eb', 'a‹U+202E›b'],
    ['an isolate', '\u2066a\u2069', '‹U+2066›a‹U+2069›'],
    ['a mark of direction', 'a\u200Fb', 'a‹U+200F›b'],
    ['a zero-width space', 'a\u200Bb', 'a‹U+200B›b'],
    ['a byte order mark', '\uFEFFa', '‹U+FEFF›a'],
    ['a soft hyphen', 'a\u00ADb', 'a‹U+00AD›b'],
    ['a joiner between letters', 'a\u200Db', 'a‹U+200D›b'],
    ['a non-joiner', 'a\u200Cb', 'a‹U+200C›b'],
    ['a tag', 'a\u{E0041}b', 'a‹U+E0041›b'],
    ['NUL', 'a\0b', 'a‹U+0000›b'],
    ['ESC', 'a\u001b[2Jb', 'a‹U+001B›[2Jb'],
    ['a new line', 'a\r\nb', 'a‹U+000D›‹U+000A›b'],
    ['a line separator', 'a\u2028b', 'a‹U+2028›b'],
    ['a C1 control', 'a\u0085b', 'a‹U+0085›b'],
    ['a private character', 'a\uE000b', 'a‹U+E000›b'],
    ['an unassigned one', 'a\u{E0FFF}b', 'a‹U+E0FFF›b'],
    ['a lone surrogate', 'a\uD800b', 'a‹U+D800›b'],
    ['a filler', 'a\u3164b', 'a‹U+3164›b'],
    ['a blank braille pattern', 'a\u2800b', 'a‹U+2800›b'],
    ['a variation selector behind a letter', 'a\uFE0Fb', 'a‹U+FE0F›b'],
    ['a text in variation selectors', '😀\u{E0100}\u{E0101}', '😀‹U+E0100›‹U+E0101›'],
    ['more than one selector behind an emoji', '❤\uFE0F\uFE0F', '❤\uFE0F‹U+FE0F›'],
    ['a Khmer vowel that is not written', 'a\u17B5b', 'a‹U+17B5›b'],
    ['a grapheme joiner', 'a\u034Fb', 'a‹U+034F›b'],
  ])('with %s shows that it is there', (_, text, shown) => {
    expect(displayable(text)).toBe(shown);
  });

  it('is cut, and says so', () => {
    expect(displayable('x'.repeat(10_000), 20)).toBe(`${'x'.repeat(19)}…`);
    expect([...displayable('👍'.repeat(10_000))]).toHaveLength(300);
    expect(displayable('x'.repeat(20), 20)).toBe('x'.repeat(20));
  });

  it('has no more marks on a letter than a language writes', () => {
    expect(displayable(`Z${'\u0351'.repeat(500)}algo`)).toBe(`Z${'\u0351'.repeat(3)}algo`);
  });

  it('has plain spaces only', () => {
    expect(displayable('a\u00A0b\u2003c\u3000d e')).toBe('a b c d e');
  });
});

describe('who asks', () => {
  it.each([
    ['The till', 'The till'],
    [' The till ', 'The till'],
    ['The\u202Etill', 'The‹U+202E›till'],
    [undefined, 'till-1'],
    ['', 'till-1'],
    [' \u3000\u00A0', 'till-1'],
  ])('is %j by name, and by its id where the name shows nothing', (clientName, shown) => {
    expect(askerOf({ clientName, clientId: 'till-1' })).toBe(shown);
  });
});
