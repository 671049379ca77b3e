/** What the mail about one kind of event says. A kind is added here, and nowhere else. */
type NoticeText = {
  readonly subject: string;
  /** What happened, as the first sentence. */
  readonly what: string;
  /** What to do if it was not the owner; `EMAIL` stands for the address of the account. */
  readonly advice: 'reset' | 'staff';
};

/** Events that are reported to the owner of an account by mail. */
export const noticeKinds = {
  'new-device': {
    subject: 'New sign-in to your digital wallet',
    what: 'Someone signed in to your account from a new device.',
    advice: 'reset',
  },
  'api-key-created': {
    subject: 'New API key for your digital wallet',
    what: 'An API key was created for your account.',
    advice: 'reset',
  },
  'password-changed': {
    subject: 'The password of your digital wallet was changed',
    what: 'The password of your account was changed by someone who knew the old one.',
    advice: 'reset',
  },
  'password-reset': {
    subject: 'The password of your digital wallet was reset',
    what: 'A new password was set for your account, and all sign-ins were ended.',
    advice: 'reset',
  },
  'email-changed': {
    subject: 'The e-mail address of your digital wallet was changed',
    what: 'Your account has another e-mail address now. This one does not belong to it any more.',
    advice: 'staff',
  },
  'email-confirmed': {
    subject: 'Your digital wallet has this e-mail address now',
    what: 'This is the e-mail address of your account now.',
    advice: 'reset',
  },
  'credentials-revoked': {
    subject: 'All sign-ins to your digital wallet were ended',
    what: 'All sign-ins and all API keys of your account were ended.',
    advice: 'reset',
  },
  'totp-enabled': {
    subject: 'Second factor enabled for your digital wallet',
    what: 'Sign-ins to your account need a code from now on.',
    advice: 'staff',
  },
  'totp-disabled': {
    subject: 'Second factor disabled for your digital wallet',
    what: 'Sign-ins to your account no longer need a code. It was disabled with the password and a code.',
    advice: 'reset',
  },
  'totp-recovery-codes': {
    subject: 'New recovery codes for your digital wallet',
    what: 'New recovery codes were made for your account. The old ones are void.',
    advice: 'reset',
  },
  'totp-reset': {
    subject: 'Second factor reset for your digital wallet',
    what: 'The second factor of your account was removed on the host of the server, and all sign-ins were ended.',
    advice: 'staff',
  },
} as const satisfies Readonly<Record<string, NoticeText>>;

export type NoticeKind = keyof typeof noticeKinds;
