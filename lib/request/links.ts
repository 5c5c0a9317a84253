import type { Seals } from './seals.js';

/**
 * The tokens in the links of prompts: a handle and a seal over it. A link lives as long as its request and decides nothing by being
 * opened; a request is decided once, and every link to it is used by that.
 */
export class Links {
  readonly #seals: Seals;
  readonly #page: string;

  /** `page` is the absolute URL of the decision page. */
  constructor(seals: Seals, page: string) {
    this.#seals = seals;
    this.#page = page;
  }

  /** The link to the decision page of a request. */
  to(handle: string): string {
    return `${this.#page}/${this.tokenOf(handle)}`;
  }

  /** The path of the page behind a token, as a browser sees it. */
  pathOf(token: string): string {
    return `${new URL(this.#page).pathname}/${token}`;
  }

  tokenOf(handle: string): string {
    return `${handle}.${this.#seals.of('link', handle)}`;
  }

  /** The handle that a token was made for, or nothing where it was not made here. */
  handleOf(token: string): string | undefined {
    const [handle = '', seal = '', ...rest] = token.split('.');
    return rest.length === 0 && this.#seals.fits(seal, 'link', handle) ? handle : undefined;
  }
}
