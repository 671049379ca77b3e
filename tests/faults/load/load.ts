import { setTimeout as sleep } from 'node:timers/promises';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createRandom, type Random } from '../../fuzz/random.ts';
import { item } from '../../support/grpc/client.ts';
import { currency, meaningOf, type Asked, type Book, type Op } from '../book.ts';
import type { LatencyClass, Latencies } from '../latencies.ts';
import type { RunRecord } from '../record/record.ts';
import type { Report } from '../report.ts';
import type { Timing } from '../schedule/schedule.ts';
import type { FaultNode, FaultSite } from '../site/fault-site.ts';
import type { Situation, Timeline } from '../timeline.ts';

/** What every client of a run works with. */
export type Load = {
  readonly seed: string;
  readonly site: FaultSite;
  readonly timeline: Timeline;
  readonly report: Report;
  readonly latencies: Latencies;
  readonly book: Book;
  readonly record: RunRecord;
  readonly tally: Tally;
  readonly timing: Timing;
  /** How many times as much is asked for as at first: 1 is some 60 operations a second. */
  readonly intensity: number;
  /** Nothing new is to be asked; what has no answer yet is still asked for one. */
  isOver(): boolean;
  /** All faults have ended, and there is still no answer: give up. */
  isHopeless(): boolean;
};

/** What the faults of a run did. */
type Tally = {
  /** That have begun. */
  faults: number;
  /** Each time the messages in it are lost. */
  deletedQueues: number;
  /** A daemon that killed itself at this step, or did not come there. */
  noteStep(name: string, isReached: boolean): void;
  readonly steps: ReadonlyMap<string, number>;
};

export function createTally(): Tally {
  const steps = new Map<string, number>();
  return {
    ...{ faults: 0, deletedQueues: 0, steps },
    noteStep: (name, isReached) => {
      const text = isReached ? name : `${name} (not reached)`;
      steps.set(text, (steps.get(text) ?? 0) + 1);
    },
  };
}

export const between = (random: Random, [from, to]: readonly [number, number]): number =>
  from + random.int(Math.max(1, to - from));

/** Choices for one client's nth step: the same for the same seed. */
export const randomOf = (load: Load, client: string, step: number): Random =>
  createRandom(load.seed, client, step);

const tickMs = 100;

/**
 * Until about then, or the end of the load. Clients come at the same ticks, into the same commits.
 */
export async function pause(load: Load, ms: number): Promise<void> {
  const endsAtMs = Math.ceil((performance.now() + ms) / tickMs) * tickMs;
  while (performance.now() < endsAtMs && !load.isOver()) {
    await sleep(Math.max(1, Math.min(100, endsAtMs - performance.now())));
  }
}

const phaseMs = 12_000;

/**
 * Either daemon at times, and almost only one of them at others: what a daemon remembers of a
 * wallet then is right most of the time.
 */
export function pickNode(load: Load, random: Random): FaultNode {
  const { nodes } = load.site;
  const phases = [undefined, ...nodes];
  const preferred = phases[Math.floor(performance.now() / phaseMs) % phases.length];
  return preferred && random.chance(97) ? preferred : random.pick(nodes);
}

/** What to ask for next on this customer's wallet. */
export function chooseOperation(
  load: Load,
  random: Random,
  asked: Pick<Asked, 'via' | 'callerClass' | 'userId'>,
): Asked {
  const dice = random.int(100);
  if (dice >= 85 && asked.via !== 'message') {
    const parent = load.book.pickParent(asked.userId, random.int(1_000_000));
    if (parent) {
      const { id: parentId, amountMinor } = parent;
      return { ...asked, operation: Operation.REVERSAL, amountMinor, parentId };
    }
  }
  const operation =
    dice < 45 ? Operation.DEPOSIT : dice < 70 ? Operation.WITHDRAW : Operation.PURCHASE;
  return { ...asked, operation, amountMinor: BigInt(1 + random.int(5_000)) };
}

export const itemOf = (op: Op) =>
  item({
    ...(op.callerClass === 'staff' ? { userId: op.userId } : {}),
    currency,
    operation: op.operation,
    idempotencyKey: op.key,
    ...(op.parentId === undefined
      ? { amountMinor: op.amountMinor }
      : { parentId: op.parentId, amountMinor: op.amountMinor }),
    ...(op.operation === Operation.PURCHASE ? { merchant: 'Bakery' } : {}),
  });

/** From when an operation was first asked for until now, and where that was. */
function situationNow(load: Load, op: Op): Situation {
  const daemons = op.via === 'message' ? undefined : op.daemons;
  const toMs = performance.now();
  return load.timeline.situationOf({ fromMs: op.startedMs, toMs, walletId: op.walletId, daemons });
}

export function recordLatency(load: Load, of: LatencyClass, op: Op): void {
  load.latencies.record(of, situationNow(load, op), performance.now() - op.startedMs);
}

/**
 * Takes a refusal: final ones settle the operation. INTERNAL, what no client can expect here, and a
 * passing refusal that no fault explains are violations.
 */
export function takeRefusal(load: Load, of: LatencyClass, op: Op, reason: string): void {
  const { report, book } = load;
  const meaning = meaningOf(reason);
  if (meaning === 'final') {
    book.settle(op, { isDone: false, reason });
    return;
  }
  const situation = situationNow(load, op);
  load.latencies.refused(of, situation);
  if (meaning === 'internal')
    report.violate('INTERNAL', 'a call was answered so', book.describe(op));
  if (meaning === 'unexpected') {
    report.violate('refusals', `${reason} is no answer to this`, book.describe(op));
    book.settle(op, { isDone: false, reason });
  }
  const isExplained = situation !== 'quiet' && situation !== 'beside a lock';
  if (meaning === 'passing' && !isExplained && reason !== 'OVERLOADED') {
    report.violate('false refusals', `${reason}, ${situation}`, book.describe(op));
  }
}
