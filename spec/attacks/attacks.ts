// What attackers send to the two protocol endpoints, the decision endpoints and the page, and what they get; a row each. The specs of this folder
// run the rows, docs/security-tests.md is made from this and from where they are run.

/** An attack. */
export interface Attack {
  readonly id: string;
  /** What the rows around it are about. */
  readonly group: string;
  /** What is sent. */
  readonly sent: string;
  /** What it gets. */
  readonly gets: string;
  /** Where a requirement or a decision goes before the usual advice, what that advice is and why it was not followed. */
  readonly differs?: string;
  /** Specs elsewhere that show it in full: the file below spec/, and the title of the test as it is written there. */
  readonly shown: readonly (readonly [file: string, title: string])[];
}

// id | what is sent | what it gets | where that differs from the usual advice
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Backchannel request': [
    'A01 | GET, PUT, DELETE or PATCH | 405 with `Allow: POST`',
    'A02 | A body as JSON or multipart | 400 `invalid_request`',
    'A03 | No hint | 400 `invalid_request`',
    'A04 | Two or three hints | 400 `invalid_request`',
    'A05 | Any parameter twice: `scope`, `login_hint`, `auth_req_id` | 400 `invalid_request`',
    'A06 | Parameters in the query only | 400; the query is never read',
    'A07 | No `openid`, or what is no scope | 400 `invalid_request`, `invalid_scope` | OpenID Connect Core 3.1.2.1: a scope that nobody knows is left out, and not an error',
    'A08 | A `login_hint` of nobody | 400 `unknown_user_id`; with `hideUnknownUsers` an acknowledgement of a request that expires',
    'A09 | A `login_hint_token` that is malformed, unsigned or of a foreign issuer | 400 `invalid_request`',
    'A10 | An expired `login_hint_token` | 400 `expired_login_hint_token`',
    'A11 | An `id_token_hint` for another client, with a bad signature, or with an `aud` that is no text | 400 `invalid_request`',
    'A12 | `requested_expiry` of 0, −1, 1.5, NaN, `1e2`, `0x10`, 5 between spaces, `+5`, 2^53+1 | 400 `invalid_request`',
    'A13 | `requested_expiry=99999999` | Clamped to 600 s, and the acknowledgement says so',
    'A14 | `requested_expiry` as a text or a number in a signed request | Both are taken',
    'A15 | A ping or push client without `client_notification_token` | 400 `invalid_request`',
    'A16 | A token of 1025 characters, with a space, a line break or others than ASCII | 400 `invalid_request`',
    'A17 | A token that is easily guessed (`a`) | Taken | REQ-9 (MAY): a server cannot measure randomness, and must refuse no honest token. Whoever guesses it can provoke polls and no more',
    'A18 | A poll client’s notification token | Of no use, and not stored',
    'A19 | A client that is not registered for the grant | 400 `unauthorized_client`',
    'A20 | A public client (`none`) with the grant | Refused at registration, and at run time',
  ],
  'Client authentication and request objects': [
    'A21 | No client authentication, a wrong one, two at once | 401 `invalid_client`, 400 `invalid_request`',
    'A22 | A `client_assertion` for the second time, at either endpoint | 401 `invalid_client` | Across nodes it is found where the server’s own adapter is shared: oidc-provider keeps it there',
    'A23 | An assertion for an endpoint of the attacker’s; for this server and a foreign one at once | 401; the latter is taken | CA-5, CA-6: oidc-provider takes a list that this server is in, as RFC 7523 3 allows. Such an assertion is used up once at each server; `profile: fapi-ciba` takes the issuer alone or the endpoint',
    'A24 | An assertion with `alg` none, HS256 by the public key, RS256 under FAPI | 401 `invalid_client`',
    'A25 | Another client’s certificate from an mTLS client | 401 `invalid_client`',
    'A26 | No `request` where one is required | 400 `invalid_request`',
    'A27 | A request object without each of `aud`, `iss`, `exp`, `iat`, `nbf`, `jti` | 400 `invalid_request`, six times',
    'A28 | `exp` in the past or 70 minutes away, `nbf` 10 minutes ahead or 70 behind, a wrong `aud` or `iss` | 400 `invalid_request` | How long a request may live is a rule of FAPI: the 70 minutes are refused under the profile',
    'A29 | `alg` none, a bad signature, another client’s key, a JWE, a `request_uri` inside the network, a used `jti`, parameters beside the JWT | 400 `invalid_request`; nothing is fetched',
  ],
  'Binding message, user code, matching number': [
    'A30 | Emoji, Chinese and 450 characters | 400 `invalid_binding_message`',
    'A31 | Bidirectional, zero-width and tag characters, NUL, ESC, line breaks | 400 `invalid_binding_message`',
    'A32 | A Cyrillic letter in a Latin word | 400 `invalid_binding_message`',
    'A33 | Too long, only spaces, not normalised | 400 `invalid_binding_message` | Messages may have 64 characters, not 50; an empty one counts as none (HTTP-5)',
    'A34 | `<script>`, `{{7*7}}`, `%s`, `=cmd()` | Shown as text, and nothing of it runs',
    'A35 | Lone surrogates, overlong UTF-8, bytes that are none | 400; no U+FFFD is stored',
    'A36 | No message where the server requires one | 400 `invalid_binding_message`',
    'A37 | No user code, or a wrong one | 400 `missing_user_code`, `invalid_user_code`',
    'A38 | Six wrong user codes of one person from three clients | Locked for the person, also for the right code, and told as every limit',
    'A39 | Wrong matching numbers, also at the same time | The first one denies | The advice is three attempts: a second try would be a second guess out of ninety',
  ],
  'Token endpoint': [
    'A40 | No `auth_req_id`, an empty one, one of 100 KB, a list, an object | 400 `invalid_request` or `invalid_grant`, 413',
    'A41 | A random id, a truncated one, in other case, with NUL or spaces around | 400 `invalid_grant`',
    'A42 | Another client’s id: pending, approved, denied, expired | 400 `invalid_grant`; the owner notices nothing',
    'A43 | A push client that polls | 400 `unauthorized_client`',
    'A44 | A poll after the denial, twice | 400 `access_denied` both times',
    'A45 | The same id after the tokens | 400 `invalid_grant` | Nothing is revoked: overlapping polls of an honest client would end its own tokens',
    'A46 | Polls at the same time | Tokens for one of them, and they work',
    'A47 | 20 polls at once, also over two nodes | `authorization_pending`, then `slow_down`; never tokens before the approval',
    'A48 | A person who is locked or deleted after the approval | 400 `invalid_grant`, no tokens',
    'A49 | The id as `code`, `device_code` or refresh token, a code as id | 400 `invalid_grant`',
    'A50 | An approval by another account | 404; it is still pending, and an event tells',
    'A51 | An approval below the `acr` that is insisted on | 403',
    'A52 | An approval of more scope, a scope or a resource added with the poll | Never widened',
    'A53 | A decision from another site, and a link that is only opened | Refused; GET never decides',
    'A54 | A decision about the client’s `auth_req_id` | 404: people decide by the handle',
    'A55 | A decision after another one, after the redemption, after the end | 409 or 410 with the outcome that stands',
    'A56 | No DPoP proof where there has to be one, a wrong `htu`, a used `jti`, another key | 400 `invalid_dpop_proof`; the approval stays',
    'A57 | A client with bound tokens polls without a certificate, or with another one | Refused; the approval stays',
    'A58 | The id of one issuer at another that shares the Redis | 400 `invalid_grant`: each has its own prefix',
    'A59 | Tokens nine minutes after the approval | `auth_time` is when the person authenticated, not the poll',
  ],
  'Notification endpoint: registration, SSRF, answers': [
    'A60 | An endpoint with `http:`, `ftp:`, `file:`, `javascript:`, or without a host | 400 `invalid_client_metadata`',
    'A61 | With a user name, a fragment, port 22, 25 or 6379 | 400 `invalid_client_metadata`',
    'A62 | 127.0.0.1 as `127.1`, `0`, `2130706433`, `0x7f.1`, `0177.0.0.1` | Refused, no connection',
    'A63 | `[::1]`, `[::]`, `[::ffff:127.0.0.1]`, `[::127.0.0.1]` | Refused, no connection',
    'A64 | The metadata services of clouds | Refused | `metadata.google.internal` is no public name; what a name leads to is judged when it is sent to',
    'A65 | Private ranges, and the addresses just beside them | Refused, taken',
    'A66 | NAT64, 6to4, Teredo around an inner address | Refused',
    'A67 | Multicast, broadcast, 240/4, 0.0.0.0/8 | Refused',
    'A68 | `localhost`, names without a dot, trailing dots, digits in other scripts | Refused once they are written out',
    'A69 | A public name that leads to private addresses, or to both kinds | No connection',
    'A70 | A name that changes its addresses between check and connection | What was checked is connected to',
    'A71 | A connection that is kept over a change of addresses | None is kept or shared',
    'A72 | A redirect to `http://169.254.169.254/` | Not followed: one call, given up',
    'A73 | An endpoint that is this server’s own | One call, refused as any other, given up: no loop and no amplification',
    'A74 | An endpoint changed after the start, by any road | Judged by the same rules, and again when it is sent to',
    'A75 | A certificate that is expired, self-signed, for another name; TLS 1.1 | No message leaves; tried again, never without TLS',
    'A76 | 401 to a ping | One call; polling works',
    'A77 | 200 and a body that never ends, that is compressed, with thousands of headers, with a cookie | Delivered; no more than a part is read, no cookie is kept',
    'A78 | An endpoint of a victim’s, and many requests | At most eight messages at a time to one origin from a process | A client’s pending requests are limited, and a person decides before anything is sent: there is no rate for each endpoint beside that',
    'A79 | A forged ping with a wrong bearer token | The example’s client answers 401',
  ],
  'Abuse, denial of service, injection, leakage': [
    'A80 | A scope of 40 KB, 10,000 scopes, a body of 57 KB | 400 or 413 | Slow bodies are cut off by the HTTP server’s own `requestTimeout`',
    'A81 | One client, many people | 429 with `Retry-After` over the client’s limit, and an event',
    'A82 | Many clients, one person | 403 `access_denied` over the person’s limit',
    'A83 | Again after two denials, after "I did not start this" | Blocked for the cool-down, for half a year | Three denials by default; `limits.refusals` says how many',
    'A84 | To start, let expire and repeat | Counted as denials',
    'A85 | One long poll more than there is room for, two for one id, clients that have gone | Answered at once; one of two gets the tokens',
    'A86 | `__proto__`, `constructor`, `a[b]` as names of parameters and members | Ignored; no object has changed',
    'A87 | Ids with `{tag}`, `*`, `:`, line breaks, `../`, 10 KB | 400 `invalid_grant`; no key is made of them',
    'A88 | Payloads with `]]`, nesting of 1,001, huge numbers, members twice | Stored as they came, or refused',
    'A89 | `X-Forwarded-For`, `-Host`, `-Proto` | Ignored unless the server trusts its proxy',
    'A90 | Smuggled requests: two lengths, length and chunks, folded headers; bad `charset`, bogus `Content-Encoding` | 400 and the connection is closed; 415',
    'A91 | A wrong client and an unknown one, an id of nobody and one of somebody else | The same answer | Bodies are compared, times are not: a noisy machine would decide',
    'A92 | Redis `MONITOR`, events and logs during a whole flow | No id, token or user code',
    'A93 | The operators’ interface without being one | There is none over HTTP; a retry of what is done does nothing',
    'A94 | A preflight from a browser at the backchannel endpoint | No CORS headers',
    'A95 | A pairwise client that authenticates with a secret | Refused at registration',
    'A96 | The asking and the deciding device are the same | The server’s hook sees the request and can refuse it; what the client says of its device is shown to the person’s app | SEC-15 is the server’s to judge: the package knows no addresses of phones',
  ],
};

// Where a row is shown in full, or shown at all, as it needs certificates, name servers or a browser.
const SHOWN: Readonly<Record<string, Attack['shown']>> = {
  A11: [['provider/id-token-hint.spec.ts', '%s is refused, and nobody is asked %s']],
  A24: [
    [
      'provider/fapi.spec.ts',
      'is refused with another algorithm than PS256 and ES256, in requests and assertions [FAPI-14]',
    ],
  ],
  A25: [
    [
      'provider/mtls.spec.ts',
      'goes by the subject of a certificate that the authority has signed [MTLS-1] [CA-1]',
    ],
  ],
  A28: [['provider/fapi.spec.ts', 'is refused where its request %s']],
  A31: [['page/hostile-texts.spec.ts', '[A31] with %s is refused']],
  A33: [['page/hostile-texts.spec.ts', '[A33] of %s is refused']],
  A34: [
    ['channels/hostile-texts.spec.ts', 'no line and no sign of its own in a mail: %s'],
    ['channels/email.spec.ts', 'shows %j inert, and goes to nobody else'],
  ],
  A38: [
    [
      'request/user-code.spec.ts',
      'costs as much work as a good one, so that nobody learns who has a code [A38]',
    ],
  ],
  A46: [
    [
      'races/redemption.spec.ts',
      '$races rounds of $parallel: one token answer each, whose access token works afterwards',
    ],
  ],
  A53: [['page/page.spec.ts', '[HINT-13] changes nothing by being opened, any number of times, by anyone']],
  A56: [['provider/dpop.spec.ts', 'is refused %s, and the approval stays [DPOP-2] [ERR-14]']],
  A57: [
    [
      'provider/mtls.spec.ts',
      'and issues none without a certificate: the approval stays, and that is no poll [MTLS-4]',
    ],
  ],
  A69: [
    ['delivery/lookup.spec.ts', 'a message to a name that leads inside opens no connection [SEC-9]'],
    ['delivery/outgoing.spec.ts', 'by the name of %s is not connected to [PING-11] [SEC-9]'],
  ],
  A70: [
    [
      'delivery/outgoing.spec.ts',
      'by a name that changes its addresses is looked up once a message, and what was checked is connected to [PING-11] [SEC-9]',
    ],
    [
      'delivery/outgoing.spec.ts',
      'gets nothing where the connection has come to another address than was asked for [SEC-9]',
    ],
  ],
  A71: [
    [
      'delivery/outgoing.spec.ts',
      'goes over a connection of its own each time, and takes no cookie along [PING-11]',
    ],
  ],
  A74: [
    [
      'delivery/deliverer.spec.ts',
      'an endpoint that is not allowed, and a client that is gone or told otherwise now, are given up [PING-11, SEC-9]',
    ],
    [
      'delivery/deliverer.spec.ts',
      'a client whose endpoint was changed meanwhile is told at neither place [REG-27]',
    ],
  ],
  A75: [
    ['delivery/outgoing.spec.ts', 'over TLS 1.1 fails, over TLS 1.2 and 1.3 it does not [PING-11]'],
    [
      'delivery/outgoing.spec.ts',
      'to a server that speaks something else than TLS fails, and never goes on without',
    ],
    [
      'delivery/deliverer.spec.ts',
      'a certificate that is not trusted: nothing of the message leaves, and it is tried again [PING-1]',
    ],
  ],
  A77: [
    [
      'delivery/outgoing.spec.ts',
      'is known before its body, of which no more than a part is read [PING-4] [PING-11]',
    ],
    ['delivery/outgoing.spec.ts', 'whose body never ends is not waited for [PING-4] [PING-11]'],
    ['delivery/outgoing.spec.ts', 'with %s is an answer [PING-4] [PUSH-5]'],
  ],
  A78: [['delivery/bulkhead.spec.ts', 'that are too many wait, and are let in first come first served']],
  A79: [['example/receiver.spec.ts', 'with %s is refused']],
  A85: [
    ['http/long-polling.spec.ts', 'holds a bounded number, and answers one more as any other poll'],
    ['http/long-polling.spec.ts', 'gives tokens to one of two that are held for one id [POLL-9]'],
    ['http/long-polling.spec.ts', 'has the place of a client that has gone for another, and loses nothing'],
  ],
  A92: [
    ['events.spec.ts', 'hold no secret: no auth_req_id, no token, no user code [SEC-11] [SEC-16] [UC-9]'],
    [
      'http/telling.spec.ts',
      'nothing secret is left or told anywhere once the client was told [PING-12, SEC-11]',
    ],
  ],
  A93: [['delivery/operators.spec.ts', 'retries while the client is being told send nothing more']],
  A95: [['provider/registration-keys.spec.ts', 'is none with %s']],
};

/** Every attack, in the order of their ids. */
export const attacks: readonly Attack[] = Object.entries(GROUPS).flatMap(([group, rows]) =>
  rows.map((row) => {
    const [id = '', sent = '', gets = '', differs] = row.split(' | ');
    return { id, group, sent, gets, ...(differs !== undefined && { differs }), shown: SHOWN[id] ?? [] };
  }),
);
