import type { Answer } from './connection.js';
import { type Round, TELLS_BACK } from './shot.js';

/** What every mark begins with. */
export const MARK = 'zq';

/** The members of errors: those of OAuth, and at the decision endpoints the outcome that stands. */
const MEMBERS: ReadonlySet<string> = new Set(['error', 'error_description', 'outcome']);

/** What is wrong with the answer to a request, or nothing. */
export function faultOf(round: Round, mark: string, { status, head, body }: Answer): string | undefined {
  if (status === 0) return round.raw || round.bytes.length > 16_384 ? undefined : 'there was no answer';
  if (status >= 500 && !isOfParser(head)) return `the answer is ${status}`;
  if (/node_modules|(\n|\\n|<br>).{0,20}\bat .+:\d+:\d+/.test(body)) return 'the answer holds a stack';
  if (/^x-injected:/im.test(head)) return 'a header was injected';
  const isPage = /^content-type: text\/html/im.test(head);
  // Marks of other requests may be shown there as texts, but none of them as HTML.
  if (isPage && body.includes(`"<i>${MARK}`)) return 'the page holds HTML of a client';
  const tellsBack = (round.path === TELLS_BACK && status < 300) || isOfProvider(round, body);
  // A page that may not read the answer is told whom it may be read by, which is itself: CORS.
  const rest = head.replace(/^access-control-allow-origin: .*$/im, '');
  if (!tellsBack && `${rest}\n${isPage ? '' : body}`.includes(mark)) return 'the answer holds what was sent';
  // What is no path of ours is the server's to answer.
  const isOurs = round.path !== '' && !isPage && body !== '';
  return status >= 400 && isOurs ? envelopeFault(round, head, body) : undefined;
}

/** Node's own parser answers what is no HTTP, before anybody else sees it. */
function isOfParser(head: string): boolean {
  return !/^date:/im.test(head) && !/^x-powered-by:/im.test(head);
}

/** Where the grant is not CIBA's, the token endpoint is oidc-provider's alone, and it says the origin back. */
const isOfProvider = ({ path }: Round, body: string): boolean =>
  !path.startsWith('/backchannel') && /"error_description":"origin .* not allowed for client: /.test(body);

function envelopeFault(round: Round, head: string, body: string): string | undefined {
  if (!/^content-type: application\/json/im.test(head)) return 'the error is no JSON';
  if (isOfProvider(round, body)) return undefined;
  const { error, error_description: description, ...others } = JSON.parse(body) as Record<string, unknown>;
  if (typeof error !== 'string') return 'the error has no code';
  if (description !== undefined && !/^[\x20-\x7e]*$/.test(String(description)))
    return 'the description holds characters that it may not';
  const { path } = round;
  if (path === TELLS_BACK) return undefined;
  if (!/^cache-control: .*no-store/im.test(head)) return 'the error may be stored by caches';
  const strange = Object.keys(others).filter((name) => !MEMBERS.has(name));
  return path !== '/token' && strange.length > 0 ? `the error has ${strange.join()}` : undefined;
}
