import { quoteForShell } from '../../../core/shell-word.ts';
import type { Tx } from '../../platform/db/db.ts';
import type { ComposeMail, MailContent } from '../mails/queue.ts';
import { appendMail, type QueuedMail } from '../mails/store.ts';
import type { Throttle } from '../throttling/throttle.ts';
import { noticeKinds, type NoticeKind } from './kinds.ts';

type Notice = {
  readonly kind: NoticeKind;
  /** The address that the call came from; undefined: not the owner's own machine, see `by`. */
  readonly source?: string;
  /** Who did it, where it was not the owner. */
  readonly by?: 'staff' | 'host';
  /** What the client called itself, or the name of a key. */
  readonly client?: string;
  /** Further lines, like how many sign-ins were ended. */
  readonly facts?: Readonly<Record<string, string>>;
};

/** The account that a notice is about, with the address that is to get it. */
type NoticeOwner = { readonly email: string; readonly isEmailVerified: boolean };

export type Notices = {
  /**
   * Queues a mail to the owner of an account in the transaction that does what it reports. Does
   * nothing where no mail is sent, where the address was not verified, and past a limit for each
   * kind and address, so that no caller can flood a mailbox. The caller holds the lock of the user.
   */
  notifyOwner(tx: Tx, owner: NoticeOwner, notice: Notice): Promise<void>;
};

/** `throttle`: undefined on the host, where nothing is limited. */
export function createNotices(options: {
  readonly isMailOn: boolean;
  readonly throttle?: Throttle;
}): Notices {
  const { isMailOn, throttle } = options;
  return {
    notifyOwner: async (tx, { email, isEmailVerified }, notice) => {
      if (!isMailOn || !isEmailVerified) return;
      const bucket = throttle?.bucketOf.notices(notice.kind, email);
      if (throttle && bucket && !(await throttle.count(tx, bucket))) return;
      const details = {
        ...notice.facts,
        ...(notice.client === undefined ? {} : { With: tame(notice.client) }),
        From: describeSource(notice),
      };
      await appendMail(tx, { kind: notice.kind, recipient: email, details });
    },
  };
}

function describeSource({ source, by }: Notice): string {
  if (by === 'staff') return 'the staff';
  if (by === 'host') return 'the host of the server';
  return source === undefined ? 'unknown' : tame(source, /[^0-9a-fA-F.:%]/gu);
}

const maxTextLength = 60;

/**
 * Text that a caller chose: letters, digits, spaces and hyphens only, so that it can neither hold
 * an address of a website nor look like a line of ours.
 */
function tame(text: string, unwanted = /[^\p{L}\p{N} -]/gu): string {
  return text
    .slice(0, 1_000)
    .replace(unwanted, ' ')
    .replace(/ +/g, ' ')
    .trim()
    .slice(0, maxTextLength);
}

/** What writes the notices: one for each kind. */
export const composeNotices: Readonly<Record<string, ComposeMail>> = Object.fromEntries(
  (Object.keys(noticeKinds) as NoticeKind[]).map((kind) => [
    kind,
    (_tx, mail) => Promise.resolve(writeNotice(kind, mail)),
  ]),
);

function writeNotice(
  kind: NoticeKind,
  { recipient, details, createdAtMs }: QueuedMail,
): MailContent {
  const { subject, what, advice } = noticeKinds[kind];
  const time = new Date(createdAtMs).toISOString().slice(0, 19).replace('T', ' ');
  const facts: Readonly<Record<string, string>> = {
    Account: recipient,
    Time: `${time} UTC`,
    ...details,
  };
  return {
    subject,
    text: [
      what,
      '',
      ...Object.entries(facts).map(([name, value]) => `    ${`${name}:`.padEnd(17)} ${value}`),
      '',
      'If it was you, there is nothing to do.',
      '',
      ...(advice === 'reset' ? resetAdvice(recipient) : staffAdvice),
      '',
      'At most five mails of this kind are sent to you in an hour.',
      '',
    ].join('\n'),
  };
}

const resetAdvice = (email: string): readonly string[] => [
  'If it was not you: set a new password, which also ends all sign-ins and API keys:',
  '',
  `    wallet reset-password --email ${quoteForShell(email)}`,
  '',
  'To end all sign-ins and API keys at once, without a new password: wallet users revoke-all',
];

const staffAdvice: readonly string[] = [
  'If it was not you: ask the staff at once to end all sign-ins and API keys of your account,',
  'and to disable it (wallet users revoke-all, wallet users disable).',
];
