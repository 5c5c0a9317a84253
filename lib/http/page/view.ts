import type { Response } from 'express';
import { type Content, html } from '../../html.js';
import type { PageTexts } from '../../page-texts.js';
import { askerOf } from '../../request/display.js';
import type { RequestView } from '../../request/view.js';
import { withClient } from './client-text.js';
import type { Language } from './language.js';
import { layout, notice } from './layout.js';
import { type CardForm, requestCard } from './request-card.js';

/** What the page can say besides showing the request. */
export type Notice =
  | 'invalid'
  | 'expired'
  | 'approved'
  | 'denied'
  | 'cancelled'
  | 'used'
  | 'reported'
  | 'wrongNumber'
  | 'stranger'
  | 'form'
  | 'refused'
  | 'unavailable'
  | 'unknown';

type Text = Exclude<keyof PageTexts, 'scopes' | 'claims'>;

/** Where a notice leads: to the link again, as it is or to sign in in another way. */
const ADDRESS: Readonly<Record<'back' | 'login', string>> = { back: '?', login: '?login' };

/** Each thing that the page can say: the status, the sign, the title, the sentences, and the link that is offered. */
const NOTICES: Readonly<
  Record<
    Notice,
    readonly [
      status: number,
      sign: 'good' | 'bad' | 'plain',
      title: Text,
      sentences: readonly Text[],
      link?: 'back' | 'login',
    ]
  >
> = {
  invalid: [404, 'bad', 'invalidTitle', ['invalid']],
  expired: [410, 'plain', 'expiredTitle', ['expired']],
  approved: [200, 'good', 'approvedTitle', ['approved', 'used']],
  denied: [200, 'plain', 'deniedTitle', ['denied', 'used']],
  cancelled: [200, 'plain', 'cancelledTitle', ['cancelled']],
  used: [200, 'plain', 'usedTitle', ['used']],
  reported: [200, 'plain', 'deniedTitle', ['reported']],
  wrongNumber: [403, 'bad', 'deniedTitle', ['wrongNumber']],
  stranger: [403, 'bad', 'strangerTitle', ['stranger']],
  form: [403, 'bad', 'formTitle', ['form'], 'back'],
  refused: [403, 'bad', 'refusedTitle', ['refused'], 'login'],
  unavailable: [503, 'bad', 'unavailableTitle', ['unavailable'], 'back'],
  unknown: [503, 'bad', 'unavailableTitle', ['unknown'], 'back'],
};

/** Answers with a page, in the person's language. */
export class View {
  readonly language: Language;
  readonly #res: Response;

  constructor(res: Response, language: Language) {
    this.#res = res;
    this.language = language;
  }

  /** Says one thing. `request` is given where its person is signed in. */
  show(shown: Notice, request?: RequestView): void {
    const { texts } = this.language;
    const [status, sign, title, sentences, link] = NOTICES[shown];
    const client = request ? askerOf(request) : '';
    const said = sentences.map((name) => withClient(texts[name], client));
    const more = link && html`<p><a class="link" href="${ADDRESS[link]}">${texts[link]}</a></p>`;
    this.#send(status, texts[title], notice(sign, texts[title], said, more));
  }

  /** Asks who is there, and shows nothing of the request: whoever has the link may be anybody. */
  signIn(passkeys: boolean): void {
    const { texts } = this.language;
    const more = passkeys
      ? html`<p class="problem" id="passkey-failed" role="alert" hidden>${texts.passkeyFailed}</p>
<p><button type="button" id="passkey" hidden>${texts.passkey}</button></p>
<noscript><p>${texts.passkeyNeedsScript}</p></noscript>
<p><a class="link" href="?login">${texts.login}</a></p>`
      : undefined;
    this.#send(401, texts.signInTitle, notice('plain', texts.signInTitle, [texts.signIn], more));
  }

  /** Shows the request to its person. */
  request(request: RequestView, form: CardForm, status = 200): void {
    this.#send(status, this.language.texts.title, requestCard(request, this.language, form));
  }

  #send(status: number, title: string, main: Content): void {
    const page = layout(this.language, title, main);
    this.#res
      .status(status)
      .set('Content-Language', this.language.tag)
      .vary('Accept-Language')
      .type('html')
      .send(page);
  }
}
