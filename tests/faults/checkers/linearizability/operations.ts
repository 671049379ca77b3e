import type { EntryRow } from '../../../support/ledger/final-rows.ts';
import { operationCodes, sizeOf, type Wanted } from '../../../support/ledger/wallet-model.ts';
import type { BalanceRead, Command, History } from '../../record/history.ts';
import { listAsked, type Asked, type AttemptWith } from '../commands.ts';
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
  const byId = entries && new Map(entries.map((entry) => [entry.id, entry]));
  const found = new Set<string>();
  const operations: (readonly [walletId: string, operation: WalletOperation])[] = [];
  for (const one of asked) {
    const { walletId, transactionId: id } = one.command;
    for (const attempt of one.refused) operations.push([walletId, toRefusal(attempt)]);
    const entry = byId?.get(id);
    const isIt = byId && entry && isEntryOf(one.command, entry, byId);
    if (isIt) found.add(id);
    const effect = toEffect(one, heardAtMs.get(id) ?? Infinity, isIt ? entry : undefined);
    if (effect && (!byId || effect.isRequired)) operations.push([walletId, effect]);
  }
  for (const read of balances) {
    const operation = toRead(read);
    if (operation) operations.push([read.walletId, operation]);
  }
  for (const entry of entries ?? []) {
    if (!found.has(entry.id)) operations.push([entry.wallet_id, toUnasked(entry)]);
  }
  const grouped = groupBy(operations, ([walletId]) => walletId);
  return new Map([...grouped].map(([id, group]) => [id, group.map(([, one]) => one)]));
}

const isEntryOf = (
  command: Command,
  entry: EntryRow,
  byId: ReadonlyMap<string, EntryRow>,
): boolean => differenceFromCommand(command, entry, byId.get(command.parentId ?? '')) === undefined;

const toWanted = ({
  transactionId,
  operation,
  amountMinor,
  parentId,
  merchant,
}: Command): Wanted => ({
  ...{ id: transactionId, operation, amountMinor, parentId, merchant },
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
    ...{ kind: 'effect', wanted: toWanted(command), isRequired, text: describeCommand(command) },
    startMs: Math.max(Math.min(...causes), ...own.map(({ startMs }) => startMs)),
    endMs: Math.min(heardAtMs, ...accepted.map(({ endMs }) => endMs)),
    seq: seq === undefined ? undefined : Number(seq),
    balanceAfterMinor: balance?.balanceAfterMinor ?? (entry && BigInt(entry.balance_after)),
  };
}

function toRefusal({ command, outcome, startMs, endMs }: AttemptWith<'refused'>): Observation {
  const { reason, balanceMinor } = outcome;
  return {
    ...{ kind: 'refusal', wanted: toWanted(command), reason, balanceMinor, startMs, endMs },
    text: `${reason} to ${describeCommand(command)}`,
  };
}

function toRead({ isNow, answer, startMs, endMs }: BalanceRead): Observation | undefined {
  if (!isNow || answer?.kind !== 'balance' || endMs === undefined) return undefined;
  const { balanceMinor } = answer;
  const seq = Number(answer.seq);
  const text = `a balance of ${balanceMinor} at seq ${seq}`;
  return { kind: 'read', seq, balanceMinor, startMs, endMs, text };
}

const operationNames = Object.keys(operationCodes) as readonly (keyof typeof operationCodes)[];

/** An entry that the record does not have: it may be of any time. */
function toUnasked(entry: EntryRow): Effect {
  const { id, operation: code, amount, parent_id: parentId, contra_account: account } = entry;
  const operation = operationNames.find((name) => operationCodes[name] === code) ?? 'deposit';
  const merchant = /^merchant:(.*)$/s.exec(account)?.[1];
  const wanted = { amountMinor: sizeOf(BigInt(amount)), parentId: parentId ?? undefined, merchant };
  return {
    ...{ kind: 'effect', wanted: { id, operation, ...wanted }, isRequired: true },
    ...{ seq: Number(entry.seq), balanceAfterMinor: BigInt(entry.balance_after) },
    ...{ startMs: -Infinity, endMs: Infinity, text: `entry ${id}, which was not asked for` },
  };
}
