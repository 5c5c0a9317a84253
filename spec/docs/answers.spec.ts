import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { errors } from 'oidc-provider';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = await readFile(join(root, 'docs/answers.md'), 'utf8');
const files = (await readdir(join(root, 'lib'), { recursive: true })).filter((file) => file.endsWith('.ts'));
const sources = new Map(
  await Promise.all(
    files.map(async (file) => [file, await readFile(join(root, 'lib', file), 'utf8')] as const),
  ),
);
const lib = [...sources.values()].join('\n');

type Answer = { readonly error: string; readonly statusCode: number };

/** What is thrown for oidc-provider to answer. */
const thrown = [...new Set([...lib.matchAll(/new errors\.(\w+)\(/g)].map(([, name]) => String(name)))]
  .filter((name) => name !== 'CustomOIDCProviderError')
  .map((name) => {
    const Made = (errors as unknown as Record<string, new (text: string) => Answer>)[name];
    if (!Made) throw new Error(`oidc-provider has no ${name}`);
    const { error, statusCode } = new Made('x');
    return { error, statusCode };
  });

/** What is written into an answer as it is. */
const written = [
  /\berror: '(\w+)', error_description:/g,
  /refuse(?:d)?\(\s*(?:\w+, )?\d{3},\s*'(\w+)'/g,
  /CustomOIDCProviderError\('(\w+)'/g,
  /^ {2}error: '(\w+)',$/gm,
].flatMap((form) => [...lib.matchAll(form)].map(([, error]) => String(error)));

/** They end oidc-provider's work, and what leaves is 200. */
const NEVER_LEAVE = ['answered_again', 'request_cancelled'];

/** What the decision endpoints say with a status of their own, and what a push says. */
const decisions = /STATUS[^{]*\{([\s\S]*?)\};/.exec(String(sources.get('http/decisions.ts')))?.[1] ?? '';
const ofDecisions = [...decisions.matchAll(/(\w+): (\d+)/g)].map(([, error, status]) => ({
  error: String(error),
  status: String(status),
}));
const ofPush = [
  ...(/type PushError = (.*);/.exec(String(sources.get('delivery/message.ts')))?.[1] ?? '').matchAll(
    /'(\w+)'/g,
  ),
].map(([, error]) => String(error));

const told = [...page.matchAll(/^\| `(\w+)` +\| ([\d, ]+?) +\|/gm)].map(([, error, statuses]) => ({
  error: String(error),
  statuses: String(statuses).split(', '),
}));

test('every error that the plugin answers is on the page, and no other', () => {
  expect(thrown.length).toBeGreaterThan(15);
  expect(written).toEqual(expect.arrayContaining(['login_required', 'unsupported_grant_type']));
  expect(ofPush).toHaveLength(3);
  const answered = new Set([
    ...thrown.map(({ error }) => error),
    ...written.filter((error) => !NEVER_LEAVE.includes(error)),
    // Somebody else's request is told as none at all, and the store's name is not told.
    ...ofDecisions
      .map(({ error }) => error)
      .filter((error) => !/^(forbidden|store_unavailable)$/.test(error)),
    ...ofPush,
    // Nobody was found: oidc-provider says it of what the plugin gives it.
    'unknown_user_id',
  ]);
  const mentioned = [...page.matchAll(/`([a-z]+(?:_[a-z0-9]+)+)`/g)]
    .map(([, word]) => String(word))
    .filter((word) => !NOT_ERRORS.includes(word));
  // `expired` alone has no underscore to know it by; it is looked for below.
  expect([...new Set(mentioned)].sort()).toEqual([...answered].filter((error) => /_/.test(error)).sort());
});

const NOT_ERRORS = [
  ...['error_description', 'auth_req_id', 'binding_message', 'login_hint_token', 'id_token_hint'],
  ...['requested_expiry', 'client_id', 'authorization_details', 'invalid_scope'],
];

// The plugin gives that one other statuses, 429 and 503.
test.each(thrown.filter(({ error }) => error !== 'temporarily_unavailable'))(
  '$error is told with the status that it is answered with',
  ({ error, statusCode }) => {
    const statuses = told.filter((row) => row.error === error).flatMap((row) => row.statuses);
    const inText = page.includes(`\`${error}\` (${statusCode})`);
    expect([...statuses, ...(inText ? [String(statusCode)] : [])]).toContain(String(statusCode));
  },
);

test.each(ofDecisions.filter(({ error }) => !/^(forbidden|store_unavailable)$/.test(error)))(
  'a decision that is answered $error has the status of the page',
  ({ error, status }) => {
    const [, section = ''] = page.split('## The decision endpoints');
    expect(section).toMatch(new RegExp(`^\\| \`${error}\` +\\| ${status} `, 'm'));
  },
);
