/**
 * Where `?return=` leads back to: a path on this very site, or nothing. The browser's own parser says where a text leads, and its whole
 * answer is used: of `/.//elsewhere` only the path would lead away.
 */
export function returnAddress({ href, origin }) {
  const wanted = new URL(href).searchParams.get('return');
  if (!wanted?.startsWith('/') || !URL.canParse(wanted, origin)) return undefined;
  const address = new URL(wanted, origin);
  return address.origin === origin ? address : undefined;
}
