import { exponentOf } from '../currencies.ts';
import { absoluteMinor, formatMinor } from '../money.ts';
import { createZoneClock, createZonedFormatter } from '../zone-clock.ts';
import {
  merchantOf,
  type ExportLocale,
  type StatementHead,
  type StatementWriter,
} from './types.ts';

type Manner = {
  readonly separator: string;
  readonly headers: readonly string[];
  /** How instants are written, on a zone's clock. */
  readonly timeIn: (timezone: string) => (instantMs: number) => string;
  readonly money: (minor: bigint, exponent: number) => string;
};

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
    timeIn: createZonedFormatter,
    money: formatMinor,
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
    ],
    timeIn: createBrazilianFormatter,
    money: (minor, exponent) => formatMinor(minor, exponent).replace('.', ','),
  },
};

/**
 * RFC 4180 in UTF-8, a header, and one row a line. Debit and credit are columns of their own and
 * never negative. `hasByteOrderMark` is for spreadsheets that would otherwise guess the encoding.
 */
export function createCsvWriter(
  head: StatementHead,
  { locale, hasByteOrderMark }: { locale: ExportLocale; hasByteOrderMark: boolean },
): StatementWriter {
  const { separator, headers, timeIn, money } = manners[locale];
  const { currency } = head;
  const exponent = exponentOf(currency);
  const time = timeIn(head.timezone);
  const needsQuotes = separator === ';' ? /[";\r\n]/ : /[",\r\n]/;
  const quote = (text: string): string =>
    needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return {
    begin: () => `${hasByteOrderMark ? '\ufeff' : ''}${headers.join(separator)}\r\n`,
    line: (line) => {
      const { occurredAtMs, amountMinor } = line;
      const amount = money(absoluteMinor(amountMinor), exponent);
      const note = line.description ?? merchantOf(line.contraAccount) ?? '';
      const cells = [
        time(occurredAtMs),
        line.transactionId,
        line.operation,
        quote(neutraliseFormula(note)),
        amountMinor < 0n ? amount : '',
        amountMinor > 0n ? amount : '',
        money(line.balanceAfterMinor, exponent),
        currency,
      ];
      return `${cells.join(separator)}\r\n`;
    },
    end: () => '',
  };
}

/** A spreadsheet takes a cell that begins like this for a formula; an apostrophe makes it text. */
function neutraliseFormula(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** `22/11/2026 21:42:10`, on the zone's clock. */
function createBrazilianFormatter(timezone: string): (instantMs: number) => string {
  const offsetOf = createZoneClock(timezone);
  return (instantMs) => {
    const wall = new Date(instantMs + offsetOf(instantMs)).toISOString();
    return `${wall.slice(8, 10)}/${wall.slice(5, 7)}/${wall.slice(0, 4)} ${wall.slice(11, 19)}`;
  };
}
