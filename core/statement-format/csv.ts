import { merchantOf } from '../contra-account.ts';
import { formatCsvRow, neutraliseFormula, quoteCsvCell, type CsvSeparator } from '../csv-cell.ts';
import { exponentOf } from '../currencies.ts';
import { absoluteMinor, formatMinor } from '../money.ts';
import { operations, type Operation } from '../operations.ts';
import { createZoneClock, createZonedFormatter, formatOffset } from '../time/zone-clock.ts';
import { createCsvRowWriter, csvRoomOf } from './csv-rows.ts';
import type { ExportLocale, StatementFileLine, StatementHead, StatementWriter } from './types.ts';

type Manner = {
  readonly separator: CsvSeparator;
  readonly headers: readonly string[];
  /** Of the last two columns, where the lines of holds and what is reserved are shown. */
  readonly heldHeaders: readonly string[];
  /** How instants are written, on a zone's clock. */
  readonly timeIn: (timezone: string) => (instantMs: number) => string;
  readonly hasMilliseconds: boolean;
  readonly decimalPoint: string;
  readonly operations: Readonly<Record<Operation, string>>;
  /** A last column with the offset from UTC, where spreadsheets would not read it in the time. */
  readonly hasOffset: boolean;
};

const englishNames = Object.fromEntries(operations.map((name) => [name, name])) as Record<
  Operation,
  string
>;

const manners: Readonly<Record<ExportLocale, Manner>> = {
  en: {
    separator: ',',
    headers: [
      'date',
      'transaction_id',
      'operation',
      'description',
      'debit',
      'credit',
      'balance',
      'currency',
    ],
    heldHeaders: ['held', 'held_balance'],
    timeIn: createZonedFormatter,
    hasMilliseconds: true,
    decimalPoint: '.',
    operations: englishNames,
    hasOffset: false,
  },
  'pt-BR': {
    separator: ';',
    headers: [
      'data',
      'id_da_transação',
      'operação',
      'descrição',
      'débito',
      'crédito',
      'saldo',
      'moeda',
      'fuso_horário',
    ],
    heldHeaders: ['reservado', 'saldo_reservado'],
    timeIn: createBrazilianFormatter,
    hasMilliseconds: false,
    decimalPoint: ',',
    operations: {
      deposit: 'depósito',
      withdraw: 'saque',
      purchase: 'compra',
      reversal: 'estorno',
      cancellation: 'cancelamento',
      transfer: 'transferência',
      hold: 'reserva',
      capture: 'captura',
      release: 'liberação',
      fee: 'tarifa',
    },
    hasOffset: true,
  },
};

/**
 * RFC 4180 in UTF-8, a header, and one row a line. Debit and credit are columns of their own and
 * never negative. Where holds are shown, two columns follow: what a line reserved (below 0:
 * released) and what is reserved since. `hasByteOrderMark` is for spreadsheets that would otherwise
 * guess the encoding.
 */
export function createCsvWriter(
  head: StatementHead,
  { locale, hasByteOrderMark }: { locale: ExportLocale; hasByteOrderMark: boolean },
): StatementWriter {
  const manner = manners[locale];
  const { separator, timeIn, decimalPoint } = manner;
  const hasHolds = head.heldClosingMinor !== undefined;
  const headers = hasHolds ? [...manner.headers, ...manner.heldHeaders] : manner.headers;
  const { currency, timezone } = head;
  const exponent = exponentOf(currency);
  const time = timeIn(timezone);
  const money = (minor: bigint): string => formatMinor(minor, exponent).replace('.', decimalPoint);
  const offsetOf = createZoneClock(timezone);
  const endOf = (offsetMs: number): readonly string[] =>
    manner.hasOffset ? [currency, `UTC${formatOffset(offsetMs)}`] : [currency];
  return {
    begin: () => (hasByteOrderMark ? '\ufeff' : '') + formatCsvRow(headers, separator),
    line: (line) => {
      const { occurredAtMs, amountMinor } = line;
      const amount = money(absoluteMinor(amountMinor));
      const note = line.description ?? merchantOf(line.contraAccount) ?? '';
      const cells = [
        time(occurredAtMs),
        line.transactionId,
        manner.operations[line.operation],
        quoteCsvCell(neutraliseFormula(note), separator),
        amountMinor < 0n ? amount : '',
        amountMinor > 0n ? amount : '',
        money(line.balanceAfterMinor),
        ...endOf(offsetOf(occurredAtMs)),
        ...(hasHolds ? heldCells(line, money) : []),
      ];
      return formatCsvRow(cells, separator);
    },
    end: () => '',
    rows: hasHolds
      ? undefined
      : {
          roomOf: csvRoomOf,
          write: createCsvRowWriter({
            ...{ separator, decimalPoint, exponent, timezone },
            ...{ operations: manner.operations, hasMilliseconds: manner.hasMilliseconds },
            time: timeIn(timezone),
            end: (offsetMs) => formatCsvRow(endOf(offsetMs), separator),
          }),
        },
  };
}

const heldCells = (
  { heldMinor = 0n, heldAfterMinor = 0n }: StatementFileLine,
  money: (minor: bigint) => string,
): readonly string[] => [heldMinor === 0n ? '' : money(heldMinor), money(heldAfterMinor)];

/** `22/11/2026 21:42:10`, on the zone's clock. */
function createBrazilianFormatter(timezone: string): (instantMs: number) => string {
  const offsetOf = createZoneClock(timezone);
  return (instantMs) => {
    const wall = new Date(instantMs + offsetOf(instantMs)).toISOString();
    return `${wall.slice(8, 10)}/${wall.slice(5, 7)}/${wall.slice(0, 4)} ${wall.slice(11, 19)}`;
  };
}
