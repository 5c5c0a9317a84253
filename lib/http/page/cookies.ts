import type { CookieOptions, Request } from 'express';

/** The value of a cookie, or nothing. */
export function cookieOf(req: Request, name: string): string | undefined {
  const cookies = (req.get('cookie') ?? '').split(';').map((cookie) => cookie.trim());
  return cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** How the page's cookies are set: no script reads them, and they are sent to the page alone. */
export function cookieOptions(path: string, secure: boolean, lifetime: number): CookieOptions {
  // Lax, because the page is opened from a mail: every POST carries a seal of its own.
  return { httpOnly: true, sameSite: 'lax', secure, path, maxAge: lifetime };
}
