import { readFileSync } from 'node:fs';

/** What the oldest supported oidc-provider lacks: since when it is there, and what is without it. */
export const SINCE = {
  'scopes of one resource': {
    version: '9.13',
    without:
      'an access token that is polled for and is for one of several resources has every scope that was approved, also those of the other resources (RES-4)',
  },
} as const satisfies Readonly<Record<string, { readonly version: string; readonly without: string }>>;

const installed = JSON.parse(
  readFileSync(new URL('../../node_modules/oidc-provider/package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Whether the oidc-provider that is installed has something that not every supported one has. */
export function oidcProviderHas(what: keyof typeof SINCE): boolean {
  return installed.version.localeCompare(SINCE[what].version, 'en', { numeric: true }) >= 0;
}
