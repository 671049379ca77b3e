import type { EntryRow } from '../../../support/ledger/final-rows.ts';
import {
  accountOf,
  isUndo,
  operationCodes,
  sizeOf,
  type Done,
  type Wanted,
} from '../../../support/ledger/wallet-model.ts';
import type { BalanceRead, Command, History } from '../../record/history.ts';
import {
  indexEntries,
  listAsked,
  type EntryIndex,
  type Asked,
  type AttemptWith,
} from '../commands.ts';
import { describeCommand, differenceFromCommand } from '../contents.ts';
import { groupBy } from '../group.ts';

/** It took effect at one moment within this interval; without an answer the end is Infinity. */
type Timed = {
  readonly startMs: number;
  readonly endMs: number;
  /** For a report. */
  readonly text: string;
};

/** A transaction: all attempts under one key are one operation. */
export type Effect = Timed & {
  readonly kind: 'effect';
  readonly wanted: Wanted;
  /** On the wallet at the other side: what it gets or gives, whatever was asked for. */
  readonly side?: Done | undefined;
  /** As far as an answer, an event or the final ledger says. */
  readonly seq: number | undefined;
  readonly balanceAfterMinor: bigint | undefined;
  /** False: it may also never have taken effect. */
  readonly isRequired: boolean;
};

/** A balance, or a refusal that the state must explain. Neither changes the wallet. */
export type Observation = Timed &
  (
    | { readonly kind: 'read'; readonly seq: number; readonly balanceMinor: bigint }
    | {
        readonly kind: 'refusal';
        readonly wanted: Wanted;
        readonly side?: Done | undefined;
        readonly reason: string;
        readonly balanceMinor: bigint | undefined;
      }
  );

export type WalletOperation = Effect | Observation;

/**
 * What happened on each wallet. With the entries of the final ledger, every effect has its seq, and
 * what is not there never took effect.
 */
export function listOperations(
  { attempts, balances, heard }: Pick<History, 'attempts' | 'balances' | 'heard'>,
  entries: readonly EntryRow[] | undefined,
): ReadonlyMap<string, readonly WalletOperation[]> {
  const asked = listAsked(attempts);
  const heardAtMs = new Map<string, number>();
  for (const { transactionId: id, atMs } of heard) {
    heardAtMs.set(id, Math.min(heardAtMs.get(id) ?? Infinity, atMs));
  }
  const index = entries && indexEntries(entries);
  const found = new Set<EntryRow>();
  const operations: (readonly [walletId: string, operation: WalletOperation])[] = [];
  for (const one of asked) {
    const { walletId, transactionId: id } = one.command;
    for (const attempt of listRefused(one).filter(isExplained)) operations.push(toRefusal(attempt));
    const entry = index?.own(one.command).find((row) => isEntryOf(one.command, row, index));
    if (entry) found.add(entry);
    const effect = toEffect(one, heardAtMs.get(id) ?? Infinity, entry);
    if (!effect || (index && !effect.isRequired)) continue;
    operations.push([walletId, effect]);
    const others = entry && one.command.pair ? (index?.others(one.command) ?? []) : [];
    for (const other of others) {
      found.add(other);
      operations.push([other.wallet_id, toOther(effect, other)]);
    }
  }
  for (const read of balances) {
    const operation = toRead(read);
    if (operation) operations.push([read.walletId, operation]);
  }
  for (const entry of entries ?? []) {
    if (!found.has(entry)) operations.push([entry.wallet_id, toUnasked(entry)]);
  }
  const grouped = groupBy(operations, ([walletId]) => walletId);
  return new Map([...grouped].map(([id, group]) => [id, group.map(([, one]) => one)]));
}

/**
 * A message is refused once: that is stored, and given again to whatever has its key. So it was
 * decided after the first attempt began, and before the first answer.
 */
function listRefused({ command, attempts, refused }: Asked): readonly AttemptWith<'refused'>[] {
  const [first] = refused;
  if (command.callerClass !== 'message' || !first) return refused;
  const startMs = Math.min(...attempts.map((attempt) => attempt.startMs));
  return [{ ...first, startMs, endMs: Math.min(...refused.map(({ endMs }) => endMs)) }];
}

/** What depends on more than the wallet's state: its limits, the time, or others of a group. */
const beyondState: ReadonlySet<string> = new Set(['LIMIT_EXCEEDED', 'HOLD_EXPIRED']);

const isExplained = ({ command, outcome }: AttemptWith<'refused'>): boolean =>
  command.groupId === undefined && !beyondState.has(outcome.reason);

const isEntryOf = (command: Command, entry: EntryRow, index: EntryIndex): boolean =>
  differenceFromCommand(command, entry, index.parent(command)) === undefined;

const toWanted = ({
  transactionId,
  operation,
  amountMinor,
  parentId,
  merchant,
  pair,
  via,
  payeeId,
  keepsRest,
}: Command): Wanted => ({
  ...{ id: transactionId, operation, amountMinor, parentId, merchant, via, keepsRest },
  payeeId: payeeId ?? pair?.otherUserId,
});

/** The same moment on the wallet at the other side. */
const toOther = (effect: Effect, entry: EntryRow): Effect => ({
  ...{ ...effect, side: toSide(entry), seq: Number(entry.seq) },
  ...{ balanceAfterMinor: BigInt(entry.balance_after), text: `the other side of ${effect.text}` },
});

/** What an entry does to its wallet, whatever was asked for. */
const toSide = (entry: EntryRow): Done => ({
  ...{ id: entry.id, operation: nameOf(entry), amountMinor: BigInt(entry.amount) },
  ...{ contraAccount: entry.contra_account, parentId: entry.parent_id ?? undefined },
  ...{ usedMinor: BigInt(entry.parent_used ?? 0), isRest: false },
  heldMinor: BigInt(entry.held ?? 0),
});

/**
 * The one effect of all attempts under a key: after the first of those that may have caused it, or
 * the one that says that it did, and before the first answer or event. Undefined if there is none.
 */
function toEffect(
  { command, accepted, open, refused }: Asked,
  heardAtMs: number,
  entry: EntryRow | undefined,
): Effect | undefined {
  const isRequired = accepted.length > 0 || entry !== undefined;
  const isRefusedMessage = command.callerClass === 'message' && refused.length > 0;
  if (!isRequired && (open.length === 0 || isRefusedMessage)) return undefined;
  const own = accepted.filter(
    ({ over, outcome }) => over !== 'cli' && outcome.isReplayed === false,
  );
  const causes = [...accepted, ...open].map(({ startMs }) => startMs);
  const named = accepted.map(({ outcome }) => outcome);
  const seq = named.find((answer) => answer.seq !== undefined)?.seq ?? entry?.seq;
  const balance = named.find((answer) => answer.balanceAfterMinor !== undefined);
  return {
    ...{ kind: 'effect', wanted: toWanted(command), isRequired, side: undefined },
    text: describeCommand(command),
    startMs: Math.max(Math.min(...causes), ...own.map(({ startMs }) => startMs)),
    endMs: Math.min(heardAtMs, ...accepted.map(({ endMs }) => endMs)),
    seq: seq === undefined ? undefined : Number(seq),
    balanceAfterMinor: balance?.balanceAfterMinor ?? (entry && BigInt(entry.balance_after)),
  };
}

/**
 * The wallet whose state must explain a refusal: the other one where an undo takes money from it
 * that is not there.
 */
function toRefusal({
  command,
  outcome,
  startMs,
  endMs,
}: AttemptWith<'refused'>): readonly [walletId: string, seen: Observation] {
  const { reason, balanceMinor } = outcome;
  const { pair, operation, amountMinor = 0n, transactionId: id } = command;
  const isOther = pair !== undefined && outcome.walletId === pair.otherWalletId;
  const side: Done | undefined = isOther
    ? {
        ...{ id, operation, amountMinor: isUndo(operation) ? -amountMinor : amountMinor },
        ...{ contraAccount: accountOf(pair.userId), parentId: command.parentId },
        ...{ usedMinor: 0n, isRest: false, heldMinor: 0n },
      }
    : undefined;
  const seen: Observation = {
    ...{ kind: 'refusal', wanted: toWanted(command), side, reason, balanceMinor, startMs, endMs },
    text: `${reason} to ${describeCommand(command)}`,
  };
  return [isOther ? pair.otherWalletId : command.walletId, seen];
}

function toRead({ isNow, answer, startMs, endMs }: BalanceRead): Observation | undefined {
  if (!isNow || answer?.kind !== 'balance' || endMs === undefined) return undefined;
  const { balanceMinor } = answer;
  const seq = Number(answer.seq);
  const text = `a balance of ${balanceMinor} at seq ${seq}`;
  return { kind: 'read', seq, balanceMinor, startMs, endMs, text };
}

const operationNames = Object.keys(operationCodes) as readonly (keyof typeof operationCodes)[];

const nameOf = ({ operation: code }: EntryRow): keyof typeof operationCodes =>
  operationNames.find((name) => operationCodes[name] === code) ?? 'deposit';

/** The release of an expired hold, by walletd itself. */
const ofSystem = 3;

/** An entry that the record does not have: it may be of any time. */
function toUnasked(entry: EntryRow): Effect {
  const { id, amount, parent_id: parentId, contra_account: account, source } = entry;
  const merchant = /^merchant:(.*)$/s.exec(account)?.[1];
  const isSide = account.startsWith('user:') || source === ofSystem;
  const wanted = { amountMinor: sizeOf(BigInt(amount)), parentId: parentId ?? undefined, merchant };
  return {
    ...{ kind: 'effect', wanted: { id, operation: nameOf(entry), ...wanted }, isRequired: true },
    ...{ seq: Number(entry.seq), balanceAfterMinor: BigInt(entry.balance_after) },
    ...{ startMs: -Infinity, endMs: Infinity, text: `entry ${id}, which was not asked for` },
    side: isSide ? toSide(entry) : undefined,
  };
}
