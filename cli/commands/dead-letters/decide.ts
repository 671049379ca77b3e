import { findNumberText } from '../../../core/json/number-text.ts';
import { operationOfMessageNumber } from '../../../core/operations.ts';
import { stripControls } from '../../../core/text.ts';
import type { DeadLetter } from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { askYes } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { findDeadLetters, type DeadLetterService } from './shared.ts';
import { done, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import {
  deadLetterColumns,
  deadLetterDryRunColumn,
  toDeadLetterJson,
  type DeadLetterRow,
} from './columns.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import { formatRows, type ListPrinter } from '../../output/list-printer.ts';
import { openPrinter } from '../shared/paging.ts';
import { formatCard } from '../../output/card.ts';
import { identifyActor } from '../users/actor.ts';

/** What is to become of some dead letters, for the question and for what is printed. */
export type Decision = {
  readonly verb: 'replay' | 'discard';
  readonly service: DeadLetterService;
  readonly ids: readonly string[];
  readonly isDryRun: boolean;
  /** Where they are printed after the decision. */
  readonly printer: ListPrinter<DeadLetterRow>;
  /** What else there is to know before saying yes. */
  readonly details: readonly (readonly [label: string, value: string | undefined])[];
  /** The body that is to take the place of the one letter's own. */
  readonly body?: string | undefined;
};

/** Asks for leave, unless it was given, showing where, as whom, and which dead letters. */
export async function confirmDecision(
  context: Context,
  decision: Decision,
): Promise<Outcome<undefined>> {
  if (context.isConfirmed || decision.isDryRun) return succeed(undefined);
  const { verb, service, ids } = decision;
  const identified = await identifyActor(context);
  if (!identified.ok) return identified;
  const found = await findDeadLetters(context, service, ids);
  if (!found.ok) return found;
  const { stderr } = context.io;
  const writer = { io: { ...context.io, stdout: stderr }, manner: context.manner };
  const card = formatCard(writer, [
    ['server', context.settings.server.text],
    ['role', identified.value?.role],
    ['service', service],
    ...decision.details,
    ...describeMovements(decision, found.value),
  ]);
  const columns = deadLetterColumns(context.settings.timezone, 'decision');
  const rows = found.value.map((letter) => ({ service, letter, isDryRun: false }));
  await stderr.write(`${card}\n${await formatRows(writer, columns, rows)}\n`);
  const what = ids.length === 1 ? 'this dead letter' : `these ${ids.length} dead letters`;
  return askYes(context, `${verb === 'replay' ? 'Replay' : 'Discard'} ${what}?`);
}

type Row = readonly [label: string, value: string];

/** Shown one by one; of more, only how many there are. */
const maxMovements = 10;

/** The money that a replay would move, as far as the bodies tell. */
function describeMovements(
  { verb, service, body }: Decision,
  letters: readonly DeadLetter[],
): readonly Row[] {
  if (verb !== 'replay' || service !== 'wallet') return [];
  const moves = letters.map((letter): Row => ['moves', describeMovement(body ?? letter.body)]);
  const rest = moves.length - maxMovements;
  return rest > 0 ? [...moves.slice(0, maxMovements), ['moves', `and ${rest} more`]] : moves;
}

function describeMovement(body: string): string {
  const { userId, transaction } = (readJson(body) as Message | null | undefined)?.data ?? {};
  const { operation, amount, currency, id } = transaction ?? {};
  if (userId === undefined || operation === undefined) return 'not known: the body is not readable';
  const name =
    typeof operation === 'number' ? (operationOfMessageNumber(operation) ?? operation) : operation;
  // As it is written: parsing rounds a number of many digits, and the server refuses it.
  const moved =
    typeof amount === 'number' ? findNumberText(body, ['data', 'transaction', 'amount']) : amount;
  const parts = [name, moved, currency, id === undefined ? undefined : `of ${textOf(id)}`];
  const what = parts.filter((part) => part !== undefined && part !== null).map(textOf);
  return stripControls(`${what.join(' ')}, user ${textOf(userId)}`);
}

const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '?';

type Message = {
  readonly data?: {
    readonly userId?: unknown;
    readonly transaction?: Readonly<Record<'operation' | 'amount' | 'currency' | 'id', unknown>>;
  };
};

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Checks how they are to be printed, before anything is sent. */
export function openDecided(
  context: Context,
  options: ViewOptions,
  isDryRun: boolean,
): Outcome<ListPrinter<DeadLetterRow>> {
  const columns = [
    ...(isDryRun ? [deadLetterDryRunColumn] : []),
    ...deadLetterColumns(context.settings.timezone, 'decision'),
  ];
  return openPrinter(context, options, columns, toDeadLetterJson);
}

/** Prints the dead letters as they are after the decision. */
export async function printDecided(
  context: Context,
  { service, isDryRun, printer }: Decision,
  letters: readonly DeadLetter[],
): Promise<CommandOutcome> {
  await printer.add(letters.map((letter) => ({ service, letter, isDryRun })));
  await printer.end(undefined, 'no dead letters');
  for (const { id, result } of letters) {
    if (['', 'ok', 'replayed'].includes(result)) continue;
    await context.reporter.warnAlways(
      `dead letter ${id} was processed and refused by the ledger: ${result}`,
    );
  }
  return done;
}
