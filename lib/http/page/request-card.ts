import { type Content, html, type Markup } from '../../html.js';
import { askerOf, displayable, isShown, LONGEST } from '../../request/display.js';
import type { RequestView } from '../../request/view.js';
import { bdi, withClient } from './client-text.js';
import type { Language } from './language.js';

/** How much of one value of a detail is shown, in characters, and how deep. */
const LONGEST_VALUE = 2_000;
const DEEPEST = 6;

/** How much of a scope or the name of a claim is shown, in characters. */
const LONGEST_WORD = 100;

/** How much of the name of a value is shown, in characters. */
const LONGEST_NAME = 2_000;

/** How many values of a detail are shown. */
const MOST_VALUES = 200;

/** Claims of the protocol's own, which say nothing of the person (OpenID Connect Core 2). */
const OF_THE_PROTOCOL: ReadonlySet<string> = new Set(['sub', 'acr', 'amr', 'auth_time', 'sid']);

/** What is put into the form besides what the person chooses. */
export interface CardForm {
  readonly seal: string;
  /** A sentence about what was wrong with the last try. */
  readonly problem?: string | undefined;
}

/** A pending request, with the form that decides it. */
export function requestCard(request: RequestView, { texts }: Language, form: CardForm): Markup {
  const client = askerOf(request);
  const { bindingMessage } = request;
  const whole = isShownWhole(request);
  const numberMatching = request.numberMatching && whole;
  const invalid = form.problem === undefined ? undefined : html` aria-invalid="true" autofocus`;
  return html`<article class="card" aria-labelledby="message">
<p class="asks">${withClient(texts.asks, client)}</p>
<h1 id="message">${bindingMessage === undefined ? texts.question : bdi(displayable(bindingMessage))}</h1>
${request.authorizationDetails.map((detail) => details(detail))}
<h2>${texts.wants}</h2>
<ul class="scopes">${request.scope
    .split(' ')
    .filter(Boolean)
    .map(
      (scope) => html`<li>${wordsOf(texts.scopes, scope) ?? bdi(displayable(scope, LONGEST_WORD))}</li>`,
    )}${request.claims
    .filter((claim) => !OF_THE_PROTOCOL.has(claim))
    .map(
      (claim) => html`<li>${wordsOf(texts.claims, claim) ?? bdi(displayable(claim, LONGEST_WORD))}</li>`,
    )}</ul>
${
  request.resources.length === 0
    ? undefined
    : html`<h2>${texts.resources}</h2>
<ul class="scopes">${request.resources.map((resource) => html`<li>${bdi(displayable(resource))}</li>`)}</ul>`
}
<p class="time" data-seconds="${request.expiresIn}" data-last-minute="${texts.lastMinute}"><span>${timeLeft(request, texts)}</span></p>
<form method="post" action="">
${form.problem === undefined ? undefined : html`<p class="problem" id="problem" role="alert">${form.problem}</p>`}
<input type="hidden" name="form" value="${form.seal}">
${
  numberMatching
    ? // Enter in the field presses the first button of the form, and must not deny who has just typed the number.
      html`<button name="verdict" value="approve" hidden></button>
<p class="number"><label for="number">${texts.number}</label>
<input id="number" name="number" inputmode="numeric" autocomplete="off" pattern="[0-9]{2}" minlength="2" maxlength="2" aria-describedby="number-hint"${invalid}>
<span id="number-hint" class="hint">${texts.numberHint}</span></p>`
    : undefined
}
${whole ? undefined : html`<p class="problem" id="incomplete">${texts.incomplete}</p>`}
<div class="decision">
<button name="verdict" value="deny" formnovalidate>${texts.deny}</button>
${whole ? html`<button name="verdict" value="approve">${texts.approve}</button>` : undefined}
</div>
<p class="report"><button class="link" name="verdict" value="report" formnovalidate aria-describedby="report-hint">${texts.report}</button>
<span id="report-hint" class="hint">${withClient(texts.reportHint, client)}</span></p>
</form>
</article>`;
}

/** As it stands without a script; with one it is counted down. */
function timeLeft({ expiresIn, expiresAt }: RequestView, texts: Language['texts']): Content {
  if (expiresIn < 60) return texts.lastMinute;
  const minutes = html`<span class="minutes">${Math.floor(expiresIn / 60)}</span>`;
  return texts.timeLeft
    .replaceAll('{time}', expiresAt.toISOString().slice(11, 16))
    .split('{minutes}')
    .map((part, index) => [index > 0 ? minutes : undefined, part]);
}

const wordsOf = (scopes: Readonly<Record<string, string>>, scope: string): string | undefined =>
  Object.hasOwn(scopes, scope) ? scopes[scope] : undefined;

/** Whether the page shows all of what is asked for: nobody approves what they cannot see. */
export function isShownWhole(request: RequestView): boolean {
  const { bindingMessage = '', resources, scope, claims, authorizationDetails } = request;
  const details = authorizationDetails.map((detail) => flattened(detail, [], 0));
  const isShort = ([name, value]: readonly [name: string, value: string]): boolean =>
    isShown(name, LONGEST_NAME) && isShown(value, LONGEST_VALUE);
  return (
    [bindingMessage, ...resources].every((text) => isShown(text, LONGEST)) &&
    [...scope.split(' '), ...claims].every((name) => isShown(name, LONGEST_WORD)) &&
    details.every((rows) => rows.length <= MOST_VALUES && rows.every(isShort))
  );
}

/** An authorization detail (RFC 9396): its members by name, those of members as `name › name`. */
function details(detail: object): Markup {
  const all = flattened(detail, [], 0);
  const hidden = all.length - MOST_VALUES;
  // What is left out is not passed over in silence.
  const rows = hidden > 0 ? [...all.slice(0, MOST_VALUES), ['…', `+${hidden}`] as const] : all;
  return html`<dl class="details">${rows.map(
    ([name, value]) =>
      html`<div><dt>${bdi(displayable(name, LONGEST_NAME))}</dt><dd>${bdi(displayable(value, LONGEST_VALUE))}</dd></div>`,
  )}</dl>`;
}

function flattened(value: unknown, path: readonly string[], depth: number): [name: string, value: string][] {
  if (typeof value !== 'object' || value === null || isEmpty(value) || depth > DEEPEST) {
    return [[path.join(' › '), typeof value === 'string' ? value : JSON.stringify(value)]];
  }
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) {
    return [[path.join(' › '), value.map(String).join(', ')]];
  }
  return Object.entries(value).flatMap(([name, member]) => flattened(member, [...path, name], depth + 1));
}

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;
