import { exponentOf } from '../currencies.ts';
import { absoluteMinor, formatMinor } from '../money.ts';
import { createZoneClock, formatZonedInstant } from '../zone-clock.ts';
import {
  merchantOf,
  type ExportLocale,
  type StatementHead,
  type StatementWriter,
} from './types.ts';

type Manner = {
  readonly separator: string;
  readonly headers: readonly string[];
  readonly time: (instantMs: number, offsetMs: number) => string;
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
    time: formatZonedInstant,
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
    time: formatBrazilianTime,
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
  const { separator, headers, time, money } = manners[locale];
  const { currency } = head;
  const exponent = exponentOf(currency);
  const offsetOf = createZoneClock(head.timezone);
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
        time(occurredAtMs, offsetOf(occurredAtMs)),
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
function formatBrazilianTime(instantMs: number, offsetMs: number): string {
  const wall = new Date(instantMs + offsetMs).toISOString();
  return `${wall.slice(8, 10)}/${wall.slice(5, 7)}/${wall.slice(0, 4)} ${wall.slice(11, 19)}`;
}
