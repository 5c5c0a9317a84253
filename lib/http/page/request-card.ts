import { html, type Markup } from '../../html.js';
import { displayable } from '../../request/display.js';
import type { RequestView } from '../../request/view.js';
import type { Language } from './language.js';

/** How much of one value of a detail is shown, in characters, and how deep. */
const LONGEST_VALUE = 500;
const DEEPEST = 4;

/** How many values of a detail are shown. */
const MOST_VALUES = 50;

/** What is put into the form besides what the person chooses. */
export interface CardForm {
  readonly seal: string;
  /** A sentence about what was wrong with the last try. */
  readonly problem?: string | undefined;
}

/** A pending request, with the form that decides it. */
export function requestCard(request: RequestView, { texts }: Language, form: CardForm): Markup {
  const client = displayable(request.clientName ?? request.clientId, 100);
  const { bindingMessage, numberMatching } = request;
  return html`<article class="card" aria-labelledby="message">
<p class="asks">${filled(texts.asks, 'client', client)}</p>
<h1 id="message">${bindingMessage === undefined ? texts.question : bdi(displayable(bindingMessage))}</h1>
${request.authorizationDetails.map((detail) => details(detail))}
<h2>${texts.wants}</h2>
<ul class="scopes">${request.scope
    .split(' ')
    .filter(Boolean)
    .map((scope) => html`<li>${wordsOf(texts.scopes, scope) ?? bdi(displayable(scope, 100))}</li>`)}</ul>
${
  request.resources.length === 0
    ? undefined
    : html`<h2>${texts.resources}</h2>
<ul class="scopes">${request.resources.map((resource) => html`<li>${bdi(displayable(resource))}</li>`)}</ul>`
}
<p class="time" data-seconds="${request.expiresIn}">${timeLeft(request, texts)}</p>
<form method="post" action="">
${form.problem === undefined ? undefined : html`<p class="problem" role="alert">${form.problem}</p>`}
<input type="hidden" name="form" value="${form.seal}">
${
  numberMatching
    ? html`<p class="number"><label for="number">${texts.number}</label>
<input id="number" name="number" inputmode="numeric" autocomplete="off" pattern="[0-9]{2}" minlength="2" maxlength="2" aria-describedby="number-hint">
<span id="number-hint" class="hint">${texts.numberHint}</span></p>`
    : undefined
}
<div class="decision">
<button name="verdict" value="deny">${texts.deny}</button>
<button name="verdict" value="approve">${texts.approve}</button>
</div>
<p class="report"><button class="link" name="verdict" value="report" aria-describedby="report-hint">${texts.report}</button>
<span id="report-hint" class="hint">${filled(texts.reportHint, 'client', client)}</span></p>
</form>
</article>`;
}

/** Text that came from a client, which must not turn the text around it. */
const bdi = (text: string): Markup => html`<bdi>${text}</bdi>`;

/** A text of the server's with a client's text in it. */
function filled(template: string, name: string, value: string): Markup {
  const [before = '', ...rest] = template.split(`{${name}}`);
  return html`${before}${rest.map((after) => html`${html`<strong>${bdi(value)}</strong>`}${after}`)}`;
}

/** As it stands without a script; with one it is counted down. */
function timeLeft({ expiresIn, expiresAt }: RequestView, texts: Language['texts']): string {
  if (expiresIn < 60) return texts.lastMinute;
  return texts.timeLeft
    .replaceAll('{minutes}', String(Math.floor(expiresIn / 60)))
    .replaceAll('{time}', expiresAt.toISOString().slice(11, 16));
}

const wordsOf = (scopes: Readonly<Record<string, string>>, scope: string): string | undefined =>
  Object.hasOwn(scopes, scope) ? scopes[scope] : undefined;

/** An authorization detail (RFC 9396): its members by name, those of members as `name › name`. */
function details(detail: object): Markup {
  const rows = flattened(detail, [], 0).slice(0, MOST_VALUES);
  return html`<dl class="details">${rows.map(
    ([name, value]) =>
      html`<div><dt>${bdi(displayable(name, 100))}</dt><dd>${bdi(displayable(value, LONGEST_VALUE))}</dd></div>`,
  )}</dl>`;
}

function flattened(value: unknown, path: readonly string[], depth: number): [name: string, value: string][] {
  if (typeof value !== 'object' || value === null || depth > DEEPEST) {
    return [[path.join(' › '), typeof value === 'string' ? value : JSON.stringify(value)]];
  }
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) {
    return [[path.join(' › '), value.map(String).join(', ')]];
  }
  return Object.entries(value).flatMap(([name, member]) => flattened(member, [...path, name], depth + 1));
}
