import querystring from 'node:querystring';

/** One `name=value` of a form, still encoded as it was sent. */
type Field = string;

/** A form whose fields are changed one by one, while the others stay byte for byte what they were. */
export class Form {
  readonly #fields: readonly Field[];

  constructor(text: string | readonly Field[]) {
    this.#fields = typeof text === 'string' ? text.split('&') : text;
  }

  /** The first value of a name, decoded. */
  get(name: string): string | undefined {
    const field = this.#fields.find((one) => nameOf(one) === name);
    return field === undefined ? undefined : decode(field.slice(field.indexOf('=') + 1));
  }

  has(name: string): boolean {
    return this.#fields.some((field) => nameOf(field) === name);
  }

  /** With every field of this name and value holding another value. */
  replacing(name: string, value: string, other: string): Form {
    const encoded = `${name}=${encodeURIComponent(other)}`;
    return new Form(
      this.#fields.map((field) =>
        nameOf(field) === name && decode(field.slice(field.indexOf('=') + 1)) === value ? encoded : field,
      ),
    );
  }

  adding(name: string, value: string): Form {
    return new Form([...this.#fields, `${name}=${encodeURIComponent(value)}`]);
  }

  toString(): string {
    return this.#fields.join('&');
  }
}

const nameOf = (field: Field): string => decode(field.split('=', 1)[0] ?? '');

const decode = (text: string): string => querystring.unescape(text.replace(/\+/g, ' '));
