import { describeMailTrouble } from './reasons.ts';
import type { Part } from './watch.ts';

/** What a queue of mails reports of each try. */
export type MailProgress = {
  begin(): void;
  /** It cannot be sent by this daemon. */
  hold(reason: string): void;
  fail(err: unknown): void;
  sent(): void;
};

/** Keeps the last failure in view while a later try is under way. */
export function createMailProgress(part: Pick<Part, 'wait'>): MailProgress {
  let failure: string | undefined;
  return {
    begin: () => part.wait(failure ?? 'the SMTP server has not taken the mail yet'),
    hold: part.wait,
    fail: (err) => {
      failure = describeMailTrouble(err);
      part.wait(failure);
    },
    sent: () => {
      failure = undefined;
    },
  };
}
