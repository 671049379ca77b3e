import type { Accepted } from '../record/history.ts';
import { listAsked, type AttemptWith } from './commands.ts';
import { describeCommand } from './contents.ts';
import type { Checker, Violation } from './violation.ts';

const names = [
  'transactionId',
  'seq',
  'amountMinor',
  'balanceAfterMinor',
  'occurredAtMs',
  'hash',
] as const satisfies readonly (keyof Accepted)[];

/** All answers to one key are equal but for `replayed`, and one of them at most took effect. */
export const checkDuplicates: Checker = ({ attempts }) => {
  const violations: Violation[] = [];
  for (const { command, accepted } of listAsked(attempts)) {
    const violate = (what: string): void =>
      void violations.push({
        ...{ checker: 'duplicates', walletId: command.walletId, seq: accepted[0]?.outcome.seq },
        what: `${describeCommand(command)}: ${what}`,
      });
    for (const name of names) {
      const values = accepted.map(({ outcome }) => outcome[name]);
      const different = new Set(values.filter((value) => value !== undefined));
      if (different.size > 1) violate(`${name} is ${[...different].map(String).join(', then ')}`);
    }
    const effects = accepted.filter(isEffect);
    if (effects.length > 1) violate(`${effects.length} answers say that they took effect`);
  }
  return violations;
};

/** The command line sends again by itself, and then says so of what its own first attempt did. */
const isEffect = ({ over, outcome }: AttemptWith<'accepted'>): boolean =>
  over !== 'cli' && outcome.isReplayed === false;

/** Of all events; a daemon that stood still for seconds may lose its lease and send some again. */
const repeatShare = 0.02;

/** Where no fault explains it, the same event does not come again. */
export const checkRepeats: Checker = ({ heard, faults }) => {
  if (faults.length > 0 || heard.length === 0) return [];
  const names = heard.map(({ walletId, seq, hash }) => `${walletId} ${seq} ${hash}`);
  const repeats = names.length - new Set(names).size;
  if (repeats <= repeatShare * names.length) return [];
  const what = `${repeats} of ${names.length} events came again without a fault`;
  return [{ checker: 'repeats', what }];
};
