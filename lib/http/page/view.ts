import type { Response } from 'express';
import { type Content, html } from '../../html.js';
import type { PageTexts } from '../../page-texts.js';
import { askerOf } from '../../request/display.js';
import type { RequestView } from '../../request/view.js';
import { withClient } from './client-text.js';
import type { Language } from './language.js';
import { layout, notice } from './layout.js';
import { type CardForm, reportForm, requestCard } from './request-card.js';

/** What the page can say besides showing the request. */
export type Notice =
  | 'invalid'
  | 'expired'
  | 'approved'
  | 'denied'
  | 'cancelled'
  | 'used'
  | 'reported'
  | 'blocked'
  | 'wrongNumber'
  | 'stranger'
  | 'form'
  | 'refused'
  | 'unavailable'
  | 'unknown';

type Text = Exclude<keyof PageTexts, 'scopes' | 'claims'>;

/** Each thing that the page can say: the status, the sign, the title, the sentences, and what is offered. */
const NOTICES: Readonly<
  Record<
    Notice,
    readonly [
      status: number,
      sign: 'good' | 'bad' | 'plain',
      title: Text,
      sentences: readonly Text[],
      offer?: 'back' | 'signIn' | 'report',
    ]
  >
> = {
  invalid: [404, 'bad', 'invalidTitle', ['invalid']],
  expired: [410, 'plain', 'expiredTitle', ['expired'], 'report'],
  approved: [200, 'good', 'approvedTitle', ['approved', 'used']],
  denied: [200, 'plain', 'deniedTitle', ['denied', 'used'], 'report'],
  cancelled: [200, 'plain', 'cancelledTitle', ['cancelled'], 'report'],
  used: [200, 'plain', 'usedTitle', ['used']],
  reported: [200, 'plain', 'deniedTitle', ['reported']],
  blocked: [200, 'plain', 'blockedTitle', ['blocked']],
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

  /** Says one thing. `request` is given where its person is signed in, and `form` where they may report it. */
  show(shown: Notice, request?: RequestView, form?: CardForm): void {
    const { texts } = this.language;
    const [status, sign, title, sentences, offer] = NOTICES[shown];
    const client = request ? askerOf(request) : '';
    const said = sentences.map((name) => withClient(texts[name], client));
    const more = offer && this.#offered(offer, client, form);
    this.#send(status, texts[title], notice(sign, texts[title], said, more));
  }

  #offered(offer: 'back' | 'signIn' | 'report', client: string, form: CardForm | undefined): Content {
    const { texts } = this.language;
    if (offer === 'report') return form && reportForm(client, this.language, form);
    if (offer === 'signIn' && this.#passkeys) return this.#waysIn(true);
    return html`<p><a class="link" href="?">${texts.back}</a></p>`;
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
