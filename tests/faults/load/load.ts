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
import type { Person } from '../site/people.ts';
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

/**
 * Half of the customers pay each other, but for those whose wallets are never locked. The wallets
 * of all others have to do with no other one.
 */
export const listPartners = ({ customers }: Pick<FaultSite, 'customers'>): readonly Person[] =>
  customers.filter((_person, i) => i >= neverLocked && i % 2 === 0);

/** The first ones' wallets are never locked: one stream carries these only. */
export const neverLocked = 4;

/** What to ask for next on this customer's wallet. */
export function chooseOperation(
  load: Load,
  random: Random,
  asked: Pick<Asked, 'via' | 'callerClass' | 'userId'>,
): Asked {
  const dice = random.int(100);
  if (asked.callerClass === 'staff' && random.chance(35)) return chooseHold(load, random, asked);
  const undo = dice >= 85 ? chooseUndo(load, random, asked) : undefined;
  if (undo) return undo;
  const amountMinor = BigInt(1 + random.int(5_000));
  const partners = listPartners(load.site).map(({ id }) => id);
  if (dice >= 68 && partners.includes(asked.userId)) {
    const otherUserId = random.pick(partners.filter((id) => id !== asked.userId));
    return { ...asked, operation: Operation.TRANSFER, amountMinor, otherUserId };
  }
  const operation =
    dice < 38 ? Operation.DEPOSIT : dice < 56 ? Operation.WITHDRAW : Operation.PURCHASE;
  const isOutside = operation !== Operation.PURCHASE && random.chance(20);
  return { ...asked, operation, amountMinor, ...(isOutside ? { account: 'bank-a' } : {}) };
}

const lifeSeconds = [1, 2, 5, 20, 3_600] as const;

/** Staff place holds, most of which expire soon, and use them: some twice, or after their end. */
function chooseHold(
  load: Load,
  random: Random,
  asked: Pick<Asked, 'via' | 'callerClass' | 'userId'>,
): Asked {
  const hold = load.book.pickHold(asked.userId, random.int(1_000_000));
  const partners = listPartners(load.site).map(({ id }) => id);
  if (!hold || random.chance(45)) {
    const amountMinor = BigInt(1 + random.int(8_000));
    const life = { lifeSeconds: random.pick(lifeSeconds) };
    const isForUser = partners.includes(asked.userId) && random.chance(50);
    const other = isForUser
      ? { otherUserId: random.pick(partners.filter((id) => id !== asked.userId)) }
      : {};
    return { ...asked, operation: Operation.HOLD, amountMinor, ...life, ...other };
  }
  const { id: parentId, amountMinor: wholeMinor, otherUserId } = hold;
  const amountMinor = random.chance(40) ? wholeMinor : BigInt(1 + random.int(Number(wholeMinor)));
  if (random.chance(30)) return { ...asked, operation: Operation.RELEASE, amountMinor, parentId };
  const other = otherUserId === undefined ? {} : { otherUserId };
  const capture = { operation: Operation.CAPTURE, keepsRest: random.chance(50) };
  return { ...asked, ...capture, amountMinor, parentId, ...other };
}

/** What only staff undo, as only they do it. */
const takenByStaff: readonly Operation[] = [Operation.CAPTURE, Operation.FEE];

/** All of a transaction, or a part; of a transfer, too, only by the staff. */
function chooseUndo(
  load: Load,
  random: Random,
  asked: Pick<Asked, 'via' | 'callerClass' | 'userId'>,
): Asked | undefined {
  const parent = load.book.pickParent(asked.userId, random.int(1_000_000));
  if (!parent || asked.via === 'message') return undefined;
  const { id: parentId, amountMinor: wholeMinor, otherUserId } = parent;
  const isOfStaff = otherUserId !== undefined || takenByStaff.includes(parent.operation);
  if (isOfStaff && asked.callerClass !== 'staff') return undefined;
  const isWhole = random.chance(40);
  const amountMinor = isWhole ? wholeMinor : BigInt(1 + random.int(Number(wholeMinor)));
  const other = otherUserId === undefined ? {} : { otherUserId };
  return { ...asked, operation: Operation.REVERSAL, amountMinor, parentId, ...other };
}

export const itemOf = (op: Op) =>
  item({
    ...(op.callerClass === 'staff' ? { userId: op.userId } : {}),
    currency,
    operation: op.operation,
    idempotencyKey: op.key,
    amountMinor: op.amountMinor,
    ...(op.parentId === undefined ? {} : { parentId: op.parentId }),
    ...(namesPayee.includes(op.operation) ? { toUserId: op.otherUserId } : {}),
    ...(op.account === undefined ? {} : { via: op.account }),
    ...(merchantOf(op) === undefined ? {} : { merchant: merchantOf(op) }),
    ...(op.lifeSeconds === undefined ? {} : { expiresInSeconds: BigInt(op.lifeSeconds) }),
    ...(op.keepsRest === undefined ? {} : { keepRest: op.keepsRest }),
    ...(op.groupId === undefined ? {} : { groupId: op.groupId }),
  });

const namesPayee: readonly Operation[] = [Operation.TRANSFER, Operation.HOLD];

/** Where a purchase is made, or a hold will be captured; a message does not say it. */
export function merchantOf({ operation, via, otherUserId }: Op): string | undefined {
  const isForMerchant = operation === Operation.HOLD && otherUserId === undefined;
  const isNamed = isForMerchant || operation === Operation.PURCHASE;
  return isNamed && via !== 'message' ? 'Bakery' : undefined;
}

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
