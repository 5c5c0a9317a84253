/** HTML in which everything that was put in is escaped. Made by {@link html} only. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What may be put into HTML: text, which is escaped, HTML, or nothing. */
export type Content = string | number | Markup | undefined | readonly Content[];

/** HTML by a template: text that is put in stays text, in an element as in a quoted attribute. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  const text = parts.reduce((made, part, index) => made + escaped(values[index - 1]) + part);
  return new Markup(text);
}

function escaped(value: Content): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(escaped).join('');
  return String(value).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}
