// Makes docs/options.md, docs/errors.md and docs/events.md from the docstrings in lib/, so that what is written there is what
// the code says. `--check` changes nothing and fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');

/** A docstring as one paragraph of Markdown. */
const prose = (doc) =>
  doc
    .replace(/^\s*\*? ?/gm, '')
    .replace(/\{@link ([\w.]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();

const bodyOf = (source, name) =>
  new RegExp(`export interface ${name} \\{([\\s\\S]*?)\\n\\}\\n`).exec(source)[1];

/** The members of an interface: [name, docstring]. Each has to have one. */
const members = (body) => {
  const found = [
    ...body.matchAll(/ {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(?:readonly )?'?([\w.]+)'?\??:/g),
  ].map(([, doc, name]) => [name, prose(doc)]);
  const all = [...body.matchAll(/^ {2}(?:readonly )?'?([\w.]+)'?\??:/gm)].map(([, name]) => name);
  const bare = all.filter((name) => !found.some(([documented]) => documented === name));
  if (bare.length > 0) throw new Error(`there is no docstring on ${bare.join(', ')}`);
  return found;
};

/** The fields of an event's type, `[name, type]`: those of the interfaces that it names, and its own. */
const fieldsOf = (type) => [
  ...(type.match(/^\w+(?: & \w+)*/)?.[0].split(' & ') ?? []).flatMap((name) => {
    const [, parent, body] = new RegExp(
      `export interface ${name} (?:extends (\\w+) )?\\{([\\s\\S]*?)\\n\\}\\n`,
    ).exec(told);
    return [...(parent ? fieldsOf(parent) : []), ...ownFields(body)];
  }),
  ...ownFields(/\{([\s\S]*)\}/.exec(type)?.[1] ?? ''),
];
const ownFields = (body) =>
  [...body.matchAll(/readonly (\w+): ([^;]+?)\s*(?:;|$)/g)].map(([, name, type]) => [
    name,
    type.replace(/\s+/g, ' '),
  ]);

/** What an event's listener is given, a line each. */
const given = (name) => {
  const [, after] = bodyOf(events, 'CibaEvents').split(new RegExp(`^ {2}'?${name}'?: `, 'm'));
  return fieldsOf(after.split('\n  /**')[0])
    .map(([field, of]) => `- \`${field}\`: \`${of.replace(/\w+/g, (word) => aliases[word] ?? word)}\``)
    .join('\n');
};

const page = (title, lead, from, rows) =>
  `# ${title}\n\n${lead}\n\nMade from \`${from}\` by \`npm run docs\`: change it there.\n\n${rows.join('\n\n')}\n`;
const heading = ([name, text]) => `## \`${name}\`\n\n${text}`;

const options = read('lib/options.ts');
const events = read('lib/events.ts');
const errors = read('lib/errors.ts');
/** Where what an event tells is described. */
const told = `${events}${read('lib/audit.ts')}`;
const aliases = Object.fromEntries(
  [...`${told}${errors}`.matchAll(/export type (\w+) =([^;{}]+);/g)].map(([, name, type]) => [
    name,
    type.replace(/\s+/g, ' ').replace(/^ (\| )?/, ''),
  ]),
);
const group = (path, name) =>
  members(bodyOf(options, name)).map(([member, text]) => [`${path}.${member}`, text]);
const codes = [...errors.matchAll(/^ \* - `(\w+)` (.+)$/gm)].map(([, code, meaning]) => [
  code,
  prose(`${meaning[0].toUpperCase()}${meaning.slice(1)}.`),
]);

const pages = {
  'docs/options.md': page(
    'Options',
    'What `createCiba(options)` can be told. Every option may be left out; a wrong or an unknown one stops the start with a sentence that names it.',
    'lib/options.ts',
    [
      ...members(bodyOf(options, 'CibaOptions')),
      ...group('replicas', 'ReplicaOptions'),
      ...group('encryption', 'EncryptionOptions'),
      ...group('longPolling', 'LongPollingOptions'),
      ...group('limits', 'LimitOptions'),
      ...group('loginHintToken', 'LoginHintTokenOptions'),
      ...group('loginHintToken.issuers[]', 'LoginHintTokenIssuer'),
      ...group('page', 'PageOptions'),
      ...group('page.passkeys', 'PasskeyOptions'),
      ...group('delivery', 'DeliveryOptions'),
      ...group('compat', 'CompatOptions'),
      ...group('compat.preapproved[client_id]', 'CompatApproval'),
    ].map(heading),
  ),
  'docs/events.md': page(
    'Events',
    'What `ciba.on(name, listener)` can hear. An event leaves after the store has accepted what it tells, and holds no secret: a request is named by its handle.',
    'lib/events.ts',
    members(bodyOf(events, 'CibaEvents')).map(([name, text]) => `${heading([name, text])}\n\n${given(name)}`),
  ),
  'docs/errors.md': page(
    'Errors',
    'The codes of `CibaError`. Its `message` is fit for a person or a client to read; what only a log may hold is in `cause`. What clients and apps are answered is in [answers](answers.md).',
    'lib/errors.ts',
    codes.map(heading),
  ),
};

let stale = false;
for (const [path, text] of Object.entries(pages)) {
  if (!process.argv.includes('--check')) writeFileSync(new URL(path, root), text);
  else if (read(path) !== text) {
    stale = true;
    console.error(`${path} is not what lib/ says: run npm run docs`);
  }
}
if (stale) process.exit(1);
