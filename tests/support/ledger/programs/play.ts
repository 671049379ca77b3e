import { userOfAccount } from '../../../../core/contra-account.ts';
import { isUndo } from '../../../../core/operations.ts';
import { decideBatch } from '../../../../daemon/wallet/domain-batch.ts';
import { toExpiryCommand } from '../../../../daemon/wallet/domain-holds.ts';
import type {
  Command,
  Decision,
  Entry,
  NewEntry,
  WalletState,
} from '../../../../daemon/wallet/domain.ts';
import { createBook, type Book } from './book.ts';
import { programWallets, toWallet, type Act } from './generate.ts';

/** A command as it was decided, by itself. */
export type Decided = {
  readonly atMs: number;
  readonly command: Command;
  readonly decision: Decision;
  readonly implied: readonly NewEntry[];
  /** How many entries there were before it. */
  readonly place: number;
  /** The wallets before it and after it. */
  readonly before: ReadonlyMap<string, WalletState>;
  readonly after: ReadonlyMap<string, WalletState>;
};

export type Played = {
  readonly book: Book;
  readonly ledger: readonly Entry[];
  readonly wallets: ReadonlyMap<string, WalletState>;
  readonly acts: readonly Act[];
  readonly decisions: readonly Decision[];
  /** Empty where commands were decided in batches. */
  readonly decided: readonly Decided[];
};

/** A command as it is asked for: its parent was looked up, which says what the other wallet is. */
function withParentsOther(command: Command, ledger: readonly Entry[]): Command {
  if (!isUndo(command.operation) && command.operation !== 'capture') return command;
  const parent = ledger.find(
    (entry) => entry.id === command.parentId && entry.wallet.id === command.wallet.id,
  );
  const userId = parent && userOfAccount(parent.contraAccount);
  if (userId === undefined) return command;
  const { currency, exponent } = command.wallet;
  return { ...command, more: { ...command.more, other: toWallet(userId, currency, exponent) } };
}

/** Plays a program on a ledger, each command by itself; `book` is empty unless it is given. */
export function playOneByOne(program: readonly Act[], book: Book = createBook()): Played {
  const acts: Act[] = [];
  const decided: Decided[] = [];
  for (const act of program) {
    if (act.kind !== 'command') {
      acts.push(act);
      playBeside(book, act);
      continue;
    }
    const { atMs } = act;
    const command = withParentsOther(act.command, book.ledger);
    acts.push({ ...act, command });
    const before = new Map(book.wallets);
    const place = book.ledger.length;
    const batch = decideBatch(book.read([command], atMs), [command], atMs);
    book.add(batch);
    const [decision] = batch.decisions;
    if (!decision) throw new Error('a command was not decided');
    const { implied } = batch;
    const after = new Map(book.wallets);
    decided.push({ atMs, command, decision, implied, place, before, after });
  }
  const decisions = decided.map(({ decision }) => decision);
  const { ledger, wallets } = book;
  return { book, ledger, wallets, acts, decisions, decided };
}

function playBeside(book: Book, act: Act): void {
  if (act.kind === 'terms') book.setTerms(act.wallet, act.terms);
  if (act.kind === 'read') book.report(act.wallet, act.atMs);
  if (act.kind !== 'sweep') return;
  const commands = book.listExpired(act.atMs).flatMap(({ id, walletId }) => {
    const ref = programWallets.find((wallet) => wallet.id === walletId);
    return ref ? [toExpiryCommand(ref, id)] : [];
  });
  book.add(decideBatch(book.read(commands, act.atMs), commands, act.atMs));
}

/** Parts of a program that are decided together: of one other act, or of commands of these sizes. */
function splitProgram(program: readonly Act[], sizes: readonly number[]): readonly Act[][] {
  const parts: Act[][] = [];
  let left = 0;
  for (const act of program) {
    const isNew = act.kind !== 'command' || left === 0;
    if (isNew) parts.push([act]);
    else parts.at(-1)?.push(act);
    if (act.kind !== 'command') left = 0;
    else left = (isNew ? (sizes[parts.length % sizes.length] ?? 1) : left) - 1;
  }
  return parts;
}

/** A program whose commands of one batch have one time. */
export const timeByBatch = (program: readonly Act[], sizes: readonly number[]): readonly Act[] =>
  splitProgram(program, sizes).flatMap((part) => {
    const atMs = part[0]?.atMs ?? 0;
    return part.map((act) => ({ ...act, atMs }));
  });

/** Plays a program in batches of these sizes; its times are those of `timeByBatch`. */
export function playInBatches(program: readonly Act[], sizes: readonly number[]): Played {
  const book = createBook();
  const decisions: Decision[] = [];
  for (const part of splitProgram(program, sizes)) {
    const atMs = part[0]?.atMs ?? 0;
    const commands = part.flatMap((act) => (act.kind === 'command' ? [act.command] : []));
    for (const act of part) playBeside(book, act);
    const batch = decideBatch(book.read(commands, atMs), commands, atMs);
    book.add(batch);
    decisions.push(...batch.decisions);
  }
  const { ledger, wallets } = book;
  return { book, ledger, wallets, acts: program, decisions, decided: [] };
}

export const outcomeOf = (decision: Decision): string =>
  decision.kind === 'rejected' ? decision.rejection.reason : decision.kind;

/** What a decision comes to, but for what depends on the place of releases among the entries. */
export const effectOf = (decision: Decision): string =>
  decision.kind === 'rejected'
    ? `${decision.rejection.reason} ${decision.rejection.message}`
    : `${decision.kind} ${decision.entries
        .map((e) =>
          [e.id, e.wallet.id, e.amountMinor, e.balanceAfterMinor, e.more?.heldMinor].join(),
        )
        .join(';')}`;
