import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Log } from '../platform/log.ts';
import { describeMailFailure, type Mail, type Mailer } from '../platform/mail.ts';

/** Sends mail without anybody waiting for it. */
export type Post = {
  send(mail: Mail): void;
  /** What waits for its next try is tried once more now; resolves when all is sent or given up. */
  drain(): Promise<void>;
};

/** Waits between the tries; a server that is away for longer costs the mail. */
const retryAfterMs = [1_000, 5_000, 30_000, 120_000, 300_000];
const maxWaiting = 1_000;
const drainMs = 4_000;

/**
 * Nothing is kept on disk: a mail holds a code, of which the database has only the hash. Whoever
 * gets none signs up again.
 */
export function createPost({
  mailer,
  log,
  waitsMs = retryAfterMs,
}: {
  readonly mailer: Mailer;
  readonly log: Log;
  readonly waitsMs?: readonly number[];
}): Post {
  const pending = new Set<Promise<void>>();
  const draining = new AbortController();

  const deliver = async (mail: Mail): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      try {
        await mailer.send(mail);
        return;
      } catch (err) {
        const failure = describeMailFailure(err);
        const waitMs = waitsMs[tries - 1];
        // Nobody's address: what a server says often quotes it, so its words are left out.
        if (failure.isFinal || waitMs === undefined || draining.signal.aborted) {
          log.error({ ...failure, mail: mail.id, tries }, 'a mail was given up');
          return;
        }
        log.warn({ ...failure, mail: mail.id, tries }, 'a mail was not sent: it is tried again');
        await sleep(waitMs, undefined, { signal: draining.signal }).catch(() => undefined);
      }
    }
  };

  return {
    send: (mail) => {
      if (pending.size >= maxWaiting || draining.signal.aborted) {
        log.error({ mail: mail.id }, 'a mail was given up: too many wait');
        return;
      }
      const delivery = deliver(mail).finally(() => pending.delete(delivery));
      pending.add(delivery);
    },
    drain: async () => {
      draining.abort();
      const late = new AbortController();
      await Promise.race([
        Promise.allSettled(pending),
        sleep(drainMs, undefined, { signal: late.signal }).catch(() => undefined),
      ]);
      late.abort();
      if (pending.size > 0) log.error({ mails: pending.size }, 'mails were given up at the stop');
    },
  };
}

/** What an address gets when somebody signs up with it: a code, or that it has an account. */
export function createSignUpMail(to: string, code: string | undefined): Mail {
  const id = randomUUID();
  if (code === undefined) {
    return {
      id,
      to,
      subject: 'You have an account already',
      text: [
        'Somebody tried to open an account with this address. It has one already, and nothing',
        'was changed.',
        '',
        'If it was you: sign in with `wallet sign-in`. If you have forgotten your password, ask',
        'the staff for a new one. If it was not you, there is nothing to do.',
        '',
      ].join('\n'),
    };
  }
  return {
    id,
    to,
    subject: 'Your code for the digital wallet',
    text: [
      'Somebody opens an account with this address. If it is you, confirm it with this code:',
      '',
      `    wallet verify-email ${code}`,
      '',
      'It is good for 24 hours, once. A newer mail makes it void.',
      '',
      'The account will have the password that was chosen when this code was asked for. So enter',
      'it only if you have just signed up yourself. If it was not you, there is nothing to do:',
      'without the code there will be no account.',
      '',
    ].join('\n'),
  };
}
