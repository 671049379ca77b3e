import { formatMinor, absoluteMinor } from '../../../core/money.ts';
import { exponentOf } from '../../../core/currencies.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { checkWalletOfKey } from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { Consumer } from '../../platform/broker/broker.ts';
import type { Replay, ReplayOutcome } from '../../platform/dead-letters/replays.ts';
import { isolate } from '../../platform/broker/poison-isolation.ts';
import {
  checkUnbound,
  stillDead,
  type PlanReplays,
} from '../../platform/dead-letters/dead-letters.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import { findAltered, toExpected, type ReadLedger } from '../rebuild/compare.ts';
import type { Line } from '../domain.ts';
import { readLine, requestedPattern } from './messages.ts';

export type ReplayOptions = {
  readonly projection: Pick<Consumer, 'handle'>;
  readonly requests: Pick<Consumer, 'handle'>;
  readonly readLedger: ReadLedger;
  readonly trail: Pick<AuditTrail, 'recordDenial'>;
};

/**
 * Replays of the messages from which statement lines are made, and of those about an export.
 * A line is taken only if the ledger has the same line, regardless of who wrote the message: so no
 * replay can make a statement say what did not happen. Dead letters of both queues go by their
 * content.
 */
export function createReplayPlan(options: ReplayOptions): PlanReplays {
  const handleLine = isolate((messages) => options.projection.handle(messages));
  const handleRequest = isolate((messages) => options.requests.handle(messages));
  return async (replays, context, isDryRun) => {
    const lines: (Line | undefined)[] = [];
    for (const replay of replays) {
      const read = readReplay(replay);
      if (read && 'kind' in read) {
        // Whether an unchanged one can be handled by now is only known once it is.
        if (replay.isChanged || !isDryRun) return stillDead(read);
        lines.push(undefined);
        continue;
      }
      const allowed = checkReplayer(options, replay, read, context);
      if (!allowed.ok) return allowed;
      const confirmed = read ? await confirmLine(options.readLedger, read) : succeed(undefined);
      if (!confirmed.ok) return confirmed;
      lines.push(read);
    }
    return succeed({
      effectIds: lines.map(() => undefined),
      run: async () => {
        const outcomes: ReplayOutcome[] = [];
        for (const [i, { message }] of replays.entries()) {
          const [handling] = await (lines[i] ? handleLine : handleRequest)([message]);
          if (!handling) throw new Error('a message got no answer');
          // The caller gets the transient reason, and the letter stays as it is.
          if (handling.kind === 'held') throw createTransientRejection(notNow);
          if (handling.kind === 'dead') outcomes.push(handling);
          else outcomes.push({ ...done, details: detailsOf(lines[i]) });
        }
        return outcomes;
      },
    });
  };
}

const { rejection: notNow } = refuse(
  'OVERLOADED',
  'the message cannot be handled now (20 exports of the user may not be finished): try again later',
);

const done = { kind: 'done', result: 'ok', isRecorded: false } as const;

/** The line that a message brings; undefined for one about an export. */
function readReplay({ message }: Replay): ReturnType<typeof readLine> | undefined {
  const { pattern } = (message.body ?? {}) as { readonly pattern?: unknown };
  return pattern === requestedPattern ? undefined : readLine(message);
}

/** An API key for one wallet reaches the lines of no other, and no export. */
function checkReplayer(
  { trail }: ReplayOptions,
  { letter, isChanged }: Replay,
  line: Line | undefined,
  context: CallContext,
): Result<void> {
  const checked = line ? checkWalletOfKey(context.principal, line.walletId) : checkUnbound(context);
  if (checked.ok) return checked;
  const details = { changed: String(isChanged), ...detailsOf(line) };
  const denied: Rejection = { ...checked.rejection, denied: { target: letter.id, details } };
  trail.recordDenial(context, 'replayDeadLetters', denied);
  const { reason, message, metadata } = denied;
  return refuse(reason, message, metadata);
}

function detailsOf(line: Line | undefined): Readonly<Record<string, string>> {
  if (!line) return {};
  const { userId, operation, amountMinor, currency, transactionId } = line;
  const amount = formatMinor(absoluteMinor(amountMinor), exponentOf(currency));
  return { userId, operation, currency, amount, transactionId };
}

/** INVALID_ARGUMENT where the ledger does not have this line; WALLET_UNAVAILABLE is thrown. */
async function confirmLine(readLedger: ReadLedger, line: Line): Promise<Result<void>> {
  const { walletId, seq } = line;
  for await (const page of readLedger(walletId, { walletId, seq: seq - 1n })) {
    const transaction = page.find((one) => one.seq === seq);
    if (!transaction) break;
    // The hash, which is compared, covers the hash before it.
    const altered = findAltered(line, toExpected(transaction, line.previousHash));
    if (altered.length === 0) return succeed(undefined);
    return refuse('INVALID_ARGUMENT', `the ledger has it otherwise: ${altered.join(', ')}`, {
      field: 'body',
      fields: altered.join(),
    });
  }
  const problem = `the ledger has no transaction ${seq} of wallet ${walletId}`;
  return refuse('INVALID_ARGUMENT', problem, { field: 'body', walletId, seq: seq.toString() });
}
