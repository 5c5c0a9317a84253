/**
 * The texts of the decision page. `{client}`, `{time}` and `{minutes}` stand for what the page puts in; a scope or a claim that is not among
 * `scopes` or `claims` is shown by its name.
 */
export interface PageTexts {
  /** The title of a pending request, in the browser's tab. */
  readonly title: string;
  /** Above the binding message: who asks. */
  readonly asks: string;
  /** Instead of the binding message, where there is none. */
  readonly question: string;
  /** Above the scopes. */
  readonly wants: string;
  /** What each scope means to a person. */
  readonly scopes: Readonly<Record<string, string>>;
  /** What single claims mean to a person, which are asked for beside scopes. */
  readonly claims: Readonly<Record<string, string>>;
  /** Above the resources that the tokens are for. */
  readonly resources: string;
  /** Instead of the button that approves: there is more than is shown, and nobody approves what they cannot see. */
  readonly incomplete: string;
  /** How long there is to decide; `{time}` is the time of day, in UTC. */
  readonly timeLeft: string;
  /** The same, for less than a minute. */
  readonly lastMinute: string;
  /** The label of the number to be matched. */
  readonly number: string;
  readonly numberHint: string;
  readonly approve: string;
  readonly deny: string;
  /** The button for somebody who did not start this. */
  readonly report: string;
  /** What that button does. */
  readonly reportHint: string;
  /** And once the request has ended. */
  readonly reportEndedHint: string;
  readonly approvedTitle: string;
  readonly approved: string;
  readonly deniedTitle: string;
  readonly denied: string;
  /** After an approval with another number than the asking screen's. */
  readonly wrongNumber: string;
  readonly reported: string;
  readonly blockedTitle: string;
  /** After a report of a request that was not denied by it. */
  readonly blocked: string;
  readonly expiredTitle: string;
  readonly expired: string;
  readonly cancelledTitle: string;
  readonly cancelled: string;
  readonly usedTitle: string;
  /** A link whose request has an outcome. */
  readonly used: string;
  readonly invalidTitle: string;
  readonly invalid: string;
  readonly strangerTitle: string;
  /** Somebody else than the one who is asked is signed in. */
  readonly stranger: string;
  readonly signInTitle: string;
  readonly signIn: string;
  /** The button that signs in with a passkey. */
  readonly passkey: string;
  readonly passkeyFailed: string;
  /** Where there is no JavaScript. */
  readonly passkeyNeedsScript: string;
  /** The link to the server's own login. */
  readonly login: string;
  readonly formTitle: string;
  /** A form that was not sent by this page for this person. */
  readonly form: string;
  /** A form with a number that is none. */
  readonly numberMissing: string;
  readonly refusedTitle: string;
  /** An approval that the server does not take: the sign-in was not strong enough. */
  readonly refused: string;
  readonly unavailableTitle: string;
  readonly unavailable: string;
  /** The same after a form was sent: it may have been decided. */
  readonly unknown: string;
  /** The link back to the request. */
  readonly back: string;
}

/** The texts in English. */
export const ENGLISH: PageTexts = {
  title: 'A request for you',
  asks: '{client} asks you',
  question: 'Do you approve?',
  wants: 'It wants to',
  scopes: {
    openid: 'Know that it is you',
    profile: 'See your name',
    email: 'See your e-mail address',
    phone: 'See your phone number',
    address: 'See your postal address',
    offline_access: 'Stay connected until you end it',
  },
  claims: {
    name: 'See your name',
    given_name: 'See your first name',
    family_name: 'See your last name',
    birthdate: 'See your date of birth',
    picture: 'See your picture',
    email: 'See your e-mail address',
    email_verified: 'See whether your e-mail address is verified',
    phone_number: 'See your phone number',
    phone_number_verified: 'See whether your phone number is verified',
    address: 'See your postal address',
  },
  resources: 'For use at',
  incomplete: 'This holds more than can be shown here, so it can only be denied.',
  timeLeft: '{minutes} min left to decide, until {time} UTC',
  lastMinute: 'Less than a minute left to decide',
  number: 'Number on the other screen',
  numberHint: 'Two digits, shown where you started this.',
  approve: 'Approve',
  deny: 'Deny',
  report: 'I did not start this',
  reportHint: 'Denies it and blocks {client} for you.',
  reportEndedHint: 'Blocks {client} for you.',
  approvedTitle: 'Approved',
  approved: 'You can close this page and go on where you started.',
  deniedTitle: 'Denied',
  denied: 'Nothing was released. You can close this page.',
  wrongNumber: 'That is not the number on the other screen, so the request was denied. Start again there.',
  reported: 'The request was denied, and {client} cannot ask you again.',
  blockedTitle: 'Blocked',
  blocked: '{client} cannot ask you again. What became of this request stays as it is.',
  expiredTitle: 'Expired',
  expired: 'The time to decide is over. Start again where you began.',
  cancelledTitle: 'Taken back',
  cancelled: 'Whoever asked has taken the request back. There is nothing left to decide.',
  usedTitle: 'Nothing to decide any more',
  used: 'This link has been used.',
  invalidTitle: 'This link is not valid',
  invalid: 'Open it again from the message that you got.',
  strangerTitle: 'This is for somebody else',
  stranger: 'You are signed in as another person than the one who is asked. Nothing was decided.',
  signInTitle: 'Sign in to see the request',
  signIn: 'Only the person who is asked can see and decide it.',
  passkey: 'Use a passkey',
  passkeyFailed: 'The passkey was not accepted. Try again.',
  passkeyNeedsScript: 'A passkey needs JavaScript.',
  login: 'Sign in another way',
  formTitle: 'Nothing was decided',
  form: 'The form was not sent from this page, or you have signed in as somebody else meanwhile.',
  numberMissing: 'Type the two digits that the other screen shows.',
  refusedTitle: 'Nothing was decided',
  refused: 'Your sign-in is not strong enough for this request.',
  unavailableTitle: 'Try again in a moment',
  unavailable: 'The server cannot look at the request now. Nothing was decided.',
  unknown: 'The server did not answer in time, so it is not known yet whether that was decided. Look again.',
  back: 'Back to the request',
};
