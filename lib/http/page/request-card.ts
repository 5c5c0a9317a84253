import { type Content, html, type Markup } from '../../html.js';
import { askerOf, displayable, isShown, LONGEST } from '../../request/display.js';
import type { RequestView } from '../../request/view.js';
import { bdi, withClient } from './client-text.js';
import type { Language } from './language.js';

/** How much of a scope, a claim, a resource, and a value of a detail or its name is shown, in characters. */
const LONGEST_PART = 2_000;

/** How deep a detail is shown member by member. */
const DEEPEST = 6;

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
  const words = wordsFor(request, texts);
  const numberMatching = request.numberMatching && whole;
  const invalid = form.problem === undefined ? undefined : html` aria-invalid="true" autofocus`;
  return html`<article class="card" aria-labelledby="message">
<p class="asks">${withClient(texts.asks, client)}</p>
<h1 id="message">${bindingMessage === undefined ? texts.question : bdi(displayable(bindingMessage))}</h1>
${request.authorizationDetails.map((detail) => details(detail))}
<h2>${texts.wants}</h2>
<ul class="scopes">${words.map((word) => html`<li>${word}</li>`)}</ul>
${
  request.resources.length === 0
    ? undefined
    : html`<h2>${texts.resources}</h2>
<ul class="scopes">${request.resources.map((resource) => html`<li>${bdi(displayable(resource, LONGEST_PART))}</li>`)}</ul>`
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
${reportButton(texts.report, withClient(texts.reportHint, client))}
</form>
</article>`;
}

/** What is left to say of a request that has ended: that its person did not start it. */
export function reportForm(client: string, { texts }: Language, { seal }: CardForm): Markup {
  return html`<form method="post" action="">
<input type="hidden" name="form" value="${seal}">
${reportButton(texts.report, withClient(texts.reportEndedHint, client))}
</form>`;
}

const reportButton = (label: string, hint: Markup): Markup =>
  html`<p class="report"><button class="link" name="verdict" value="report" formnovalidate aria-describedby="report-hint">${label}</button>
<span id="report-hint" class="hint">${hint}</span></p>`;

/** As it stands without a script; with one it is counted down. */
function timeLeft({ expiresIn, expiresAt }: RequestView, texts: Language['texts']): Content {
  if (expiresIn < 60) return texts.lastMinute;
  const minutes = html`<span class="minutes">${Math.floor(expiresIn / 60)}</span>`;
  return texts.timeLeft
    .replaceAll('{time}', expiresAt.toISOString().slice(11, 16))
    .split('{minutes}')
    .map((part, index) => [index > 0 ? minutes : undefined, part]);
}

/** What the scopes and the claims mean to a person, each sentence once; what the texts do not know is shown by its name. */
function wordsFor({ scope, claims }: RequestView, texts: Language['texts']): Content[] {
  const known = (of: Readonly<Record<string, string>>, name: string): string | Markup | undefined =>
    Object.hasOwn(of, name) ? of[name] : bdi(displayable(name, LONGEST_PART));
  const ofScopes = scope.split(' ').filter(Boolean);
  const ofThePerson = claims.filter((claim) => !OF_THE_PROTOCOL.has(claim));
  return [
    ...new Set([
      ...ofScopes.map((name) => known(texts.scopes, name)),
      ...ofThePerson.map((name) => known(texts.claims, name)),
    ]),
  ];
}

/** Whether the page shows all of what is asked for: nobody approves what they cannot see. */
export function isShownWhole(request: RequestView): boolean {
  const { bindingMessage = '', resources, scope, claims, authorizationDetails } = request;
  const details = authorizationDetails.map((detail) => flattened(detail, [], 0));
  const parts = [...resources, ...scope.split(' '), ...claims, ...details.flat(2)];
  return (
    isShown(bindingMessage, LONGEST) &&
    parts.every((part) => isShown(part, LONGEST_PART)) &&
    details.every((rows) => rows.length <= MOST_VALUES)
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
      html`<div><dt>${bdi(displayable(name, LONGEST_PART))}</dt><dd>${bdi(displayable(value, LONGEST_PART))}</dd></div>`,
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
