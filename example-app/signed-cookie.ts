import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CookieOptions, Request, Response } from 'express';

/** How a cookie is set. */
export interface SignedCookieOptions {
  readonly name: string;
  readonly secret: string;
  /** Whether it is for https alone. */
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict';
  /** In seconds. */
  readonly lifetime: number;
}

/** A text that only this server can have written, in a cookie that no script reads and that ends. */
export class SignedCookie {
  readonly #options: SignedCookieOptions;

  constructor(options: SignedCookieOptions) {
    this.#options = options;
  }

  /** The value of the cookie that holds this text from now on. */
  seal(text: string): string {
    const content = `${text}.${now()}`;
    return `${content}.${this.#sign(content)}`;
  }

  /** The text in a request's cookie, and since when it is there; nothing where the cookie is not ours, or over. */
  read(req: Request): { readonly text: string; readonly since: number } | undefined {
    const parts = (this.#valueIn(req) ?? '').split('.');
    const signature = Buffer.from(parts.pop() ?? '');
    const expected = Buffer.from(this.#sign(parts.join('.')));
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return undefined;
    const since = Number(parts.pop());
    return since + this.#options.lifetime < now() ? undefined : { text: parts.join('.'), since };
  }

  set(res: Response, text: string): void {
    res.cookie(this.#options.name, this.seal(text), {
      ...this.#attributes,
      maxAge: this.#options.lifetime * 1000,
    });
  }

  clear(res: Response): void {
    res.clearCookie(this.#options.name, this.#attributes);
  }

  get #attributes(): CookieOptions {
    const { secure, sameSite } = this.#options;
    return { httpOnly: true, sameSite, secure, path: '/' };
  }

  #valueIn(req: Request): string | undefined {
    const { name } = this.#options;
    const cookies = (req.get('cookie') ?? '').split(';').map((cookie) => cookie.trim());
    const value = cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
    try {
      // As Express has written it.
      return value && decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }

  #sign(content: string): string {
    const { name, secret } = this.#options;
    return createHmac('sha256', secret).update(`${name} ${content}`).digest('base64url');
  }
}

const now = (): number => Math.floor(Date.now() / 1000);
