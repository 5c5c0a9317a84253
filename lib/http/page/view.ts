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

/** Each thing that the page can say: the status, the sign, the title, the sentences, and the link that is offered. */
const NOTICES: Readonly<
  Record<
    Notice,
    readonly [
      status: number,
      sign: 'good' | 'bad' | 'plain',
      title: Text,
      sentences: readonly Text[],
      link?: 'back' | 'signIn',
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
  stranger: [403, 'bad', 'strangerTitle', ['stranger'], 'signIn'],
  form: [403, 'bad', 'formTitle', ['form'], 'back'],
  refused: [403, 'bad', 'refusedTitle', ['refused'], 'signIn'],
  unavailable: [503, 'bad', 'unavailableTitle', ['unavailable'], 'back'],
  unknown: [503, 'bad', 'unavailableTitle', ['unknown'], 'back'],
};

/** Answers with a page, in the person's language. */
export class View {
  readonly language: Language;
  readonly #res: Response;
  readonly #passkeys: boolean;

  /** `passkeys` says whether people can sign in with one. */
  constructor(res: Response, language: Language, passkeys: boolean) {
    this.#res = res;
    this.language = language;
    this.#passkeys = passkeys;
  }

  /** Says one thing. `request` is given where its person is signed in. */
  show(shown: Notice, request?: RequestView): void {
    const { texts } = this.language;
    const [status, sign, title, sentences, link] = NOTICES[shown];
    const client = request ? askerOf(request) : '';
    const said = sentences.map((name) => withClient(texts[name], client));
    const back = html`<p><a class="link" href="?">${texts.back}</a></p>`;
    const more = link === 'signIn' && this.#passkeys ? this.#waysIn(true) : link && back;
    this.#send(status, texts[title], notice(sign, texts[title], said, more || undefined));
  }

  /** Asks who is there, and shows nothing of the request: whoever has the link may be anybody. `login` offers the server's own. */
  signIn(login: boolean): void {
    const { signInTitle, signIn } = this.language.texts;
    this.#send(401, signInTitle, notice('plain', signInTitle, [signIn], this.#waysIn(login)));
  }

  /** A passkey, where there are any, and the server's own login. */
  #waysIn(login: boolean): Content {
    const { texts } = this.language;
    const passkey = html`<p class="problem" id="passkey-failed" role="alert" hidden>${texts.passkeyFailed}</p>
<p><button type="button" id="passkey" hidden>${texts.passkey}</button></p>
<noscript><p>${texts.passkeyNeedsScript}</p></noscript>`;
    const link = html`<p><a class="link" href="?login">${texts.login}</a></p>`;
    return [this.#passkeys ? passkey : undefined, login ? link : undefined];
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
