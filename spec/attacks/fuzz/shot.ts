import { CIBA_GRANT } from '../../support/configuration.js';

type Fields = readonly (readonly [name: string, value: string])[];

/** A request as it ought to be, which a shot changes. */
interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
  readonly type?: 'form' | 'json';
  /** The client that authenticates with its secret in the header. */
  readonly client?: string;
  /** Whether somebody is signed in. */
  readonly person?: boolean;
}

/** What is done to it. `at` counts fields, or headers, and begins again behind the last one. */
export type Change =
  | { readonly does: 'set' | 'add' | 'header'; readonly name: string; readonly value: string }
  | { readonly does: 'drop' | 'repeat'; readonly at: number }
  | { readonly does: 'replace'; readonly at: number; readonly value: string }
  | { readonly does: 'type' | 'method' | 'path' | 'query' | 'body'; readonly value: string }
  | { readonly does: 'unencoded' };

/** One request of the fuzzer's, before it is known what the server has at that moment. */
export interface Shot {
  readonly endpoint: number;
  readonly person: number;
  readonly changes: readonly Change[];
  /** Sent in the place of all that, byte for byte. */
  readonly raw?: { readonly start: string; readonly lines: readonly string[]; readonly rest: string };
}

/** A request that is ready to be sent. */
export interface Round {
  readonly bytes: Buffer;
  readonly isHead: boolean;
  /** The path of the endpoint, or nothing where it has become one that the plugin does not answer. */
  readonly path: string;
  readonly raw: boolean;
}

/** What the plugin answers: the protocol endpoints whatever the method, the others with their own. */
const PROTOCOL = /^\/(backchannel(\/cancel)?|token)$/;
const OURS =
  /^\/(reg|ciba\/(requests(\/[^/?#]+(\/(approve|deny|report))?)?|decide\/[^/?#]+(\/passkey(\/options)?)?))$/;

const ask = (client: string, ...more: Fields): Endpoint => ({
  method: 'POST',
  path: '/backchannel',
  client,
  fields: [['scope', 'openid'], ['login_hint', '{person}'], ...more],
});
const poll = (client: string, id: string): Endpoint => ({
  method: 'POST',
  path: '/token',
  client,
  fields: [
    ['grant_type', CIBA_GRANT],
    ['auth_req_id', id],
  ],
});
const decide = (verdict: string, ...fields: Fields): Endpoint => ({
  method: 'POST',
  path: `/ciba/requests/{handle}/${verdict}`,
  type: 'json',
  person: true,
  fields,
});

/** Everything that the plugin answers, or lets through to the provider after a look at it. */
export const ENDPOINTS: readonly Endpoint[] = [
  ask('till', ['binding_message', 'Pay 12']),
  ask('till', ['requested_expiry', '60'], ['acr_values', 'urn:example:phone']),
  ask('till', ['authorization_details', '[{"type":"payment"}]'], ['resource', 'https://api.example/']),
  ask('coder', ['user_code', '1234']),
  ask('matcher'),
  ask('pinged', ['client_notification_token', 'a-token-of-22-characters']),
  ask('dialect'),
  { ...ask('poster', ['client_id', 'poster'], ['client_secret', 'poster-secret']), client: '' },
  {
    method: 'POST',
    path: '/backchannel',
    fields: [
      ['client_assertion', 'e30.e30.e30'],
      ['client_id', 'asserter'],
    ],
  },
  {
    method: 'POST',
    path: '/backchannel',
    fields: [
      ['request', 'e30.e30.e30'],
      ['client_id', 'signer'],
    ],
  },
  poll('till', '{pending}'),
  poll('till', '{approved}'),
  poll('till', '{denied}'),
  poll('till', '{redeemed}'),
  poll('kiosk', '{pending}'),
  poll('dialect', '{pending}'),
  {
    method: 'POST',
    path: '/token',
    client: 'till',
    fields: [
      ['grant_type', 'refresh_token'],
      ['refresh_token', '{approved}'],
    ],
  },
  { ...poll('till', '{pending}'), path: '/backchannel/cancel' },
  { method: 'GET', path: '/ciba/requests', person: true, fields: [] },
  { method: 'GET', path: '/ciba/requests/{handle}', person: true, fields: [] },
  decide('approve', ['scope', 'openid']),
  decide('deny', ['description', 'no']),
  decide('report'),
  { method: 'GET', path: '/ciba/decide/{link}', person: true, fields: [] },
  {
    method: 'POST',
    path: '/ciba/decide/{link}',
    person: true,
    fields: [
      ['verdict', 'deny'],
      ['form', '{form}'],
    ],
  },
  { method: 'POST', path: '/ciba/decide/{link}/passkey/options', type: 'json', fields: [] },
  { method: 'POST', path: '/ciba/decide/{link}/passkey', type: 'json', fields: [['id', 'x']] },
  { method: 'GET', path: '/ciba/decide/assets/page.css', fields: [] },
  {
    method: 'POST',
    path: '/reg',
    type: 'json',
    fields: [
      ['client_id', 'approved'],
      ['client_secret', 'a secret of 22 characters'],
    ],
  },
];

/** Where metadata is told back to whoever has registered it. */
export const TELLS_BACK = '/reg';

/** Makes a shot ready: `fill` puts in what stands in braces. */
export function roundOf({ endpoint: index, changes, raw }: Shot, fill: (text: string) => string): Round {
  if (raw) {
    const text = `${raw.start}${raw.lines.join('')}${raw.rest}`;
    return { bytes: Buffer.from(fill(text), 'latin1'), isHead: false, path: '', raw: true };
  }
  const endpoint = ENDPOINTS[index] as Endpoint;
  let { method } = endpoint;
  let [path, query, body, unencoded] = [endpoint.path, '', undefined as string | undefined, false];
  const fields = endpoint.fields.map(([name, value]) => [name, value] as [string, string]);
  const headers: [string, string][] = [['host', 'op.example']];
  if (endpoint.client) headers.push(['authorization', basic(endpoint.client)]);
  if (endpoint.person) headers.push(['x-person', '{person}']);
  let type =
    endpoint.type === 'json'
      ? 'application/json'
      : fields.length > 0
        ? 'application/x-www-form-urlencoded'
        : '';
  for (const change of changes) {
    const at = 'at' in change ? change.at % (fields.length || 1) : 0;
    const there = fields[at];
    switch (change.does) {
      case 'set':
        fields.splice(0, fields.length, ...fields.filter(([name]) => name !== change.name));
        fields.push([change.name, change.value]);
        break;
      case 'add':
        fields.push([change.name, change.value]);
        break;
      case 'drop':
        fields.splice(at, 1);
        break;
      case 'replace':
        if (there) there[1] = change.value;
        break;
      case 'repeat':
        if (there) fields.push([...there]);
        break;
      case 'header':
        headers.splice(0, headers.length, ...headers.filter(([name]) => name !== change.name));
        headers.push([change.name, change.value]);
        break;
      case 'type':
        type = change.value;
        break;
      case 'method':
        method = change.value;
        break;
      case 'path':
        path = path.includes('{') ? path.replace(/\{\w+\}/, change.value) : `${path}/${change.value}`;
        break;
      case 'query':
        query = `?${change.value}`;
        break;
      case 'body':
        body = change.value;
        break;
      case 'unencoded':
        unencoded = true;
    }
  }
  if (type !== '') headers.push(['content-type', type]);
  const payload = Buffer.from(
    body === undefined ? bodyOf(fields, endpoint.type, unencoded, fill) : fill(body),
    body === undefined ? 'utf8' : 'latin1',
  );
  if (payload.length > 0 || method === 'POST') headers.push(['content-length', String(payload.length)]);
  const isPreflight = method === 'OPTIONS' && path === '/token';
  const isOurs =
    (PROTOCOL.test(inPath(fill(path))) && !isPreflight) ||
    (method === endpoint.method && OURS.test(inPath(fill(path))));
  const target = `${inPath(fill(path))}${inPath(fill(query))}`;
  const lines = headers.map(([name, value]) => `${inLine(fill(name))}: ${inLine(fill(value))}\r\n`);
  const head = `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
  return {
    bytes: Buffer.concat([Buffer.from(head), payload]),
    isHead: method === 'HEAD',
    path: isOurs ? endpoint.path : '',
    raw: false,
  };
}

function bodyOf(
  fields: Fields,
  type: Endpoint['type'],
  unencoded: boolean,
  fill: (text: string) => string,
): string {
  if (type === 'json') {
    const members = fields.map(([name, value]) => {
      const text = fill(value);
      return `${JSON.stringify(fill(name))}:${unencoded && isJson(text) ? text : JSON.stringify(text)}`;
    });
    return `{${members.join(',')}}`;
  }
  const encode = unencoded ? (text: string) => text : (text: string) => encodeURIComponent(wellFormed(text));
  return fields.map(([name, value]) => `${encode(fill(name))}=${encode(fill(value))}`).join('&');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What would end a line would make two requests of one: such bytes are sent by shots that are raw. */
const inLine = (text: string): string => text.replace(/[\r\n]/g, ' ');
const inPath = (text: string): string =>
  encodeURI(wellFormed(text))
    .replace(/%25/g, '%')
    .replace(/[\r\n ]/g, '');

/** The header of a client with its secret. */
export const basic = (client: string): string =>
  `Basic ${Buffer.from(`${client}:${client === 'dialect' ? 'x'.repeat(32) : `${client}-secret`}`).toString('base64')}`;

/** Without lone surrogates, which nothing can encode. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
