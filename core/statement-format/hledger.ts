import { merchantOf } from '../contra-account.ts';
import { exponentOf } from '../currencies.ts';
import { formatMinor } from '../money.ts';
import { createZoneClock } from '../time/zone-clock.ts';
import type { StatementHead, StatementWriter } from './types.ts';

const openingAccount = 'equity:opening balances';

/**
 * A journal that both hledger and ledger read: one balanced transaction per line, with the wallet's
 * balance asserted after each. An opening balance, if there is one, is a transaction before them.
 * Accounts begin with the standard roots, by which both programs know their types: the wallet is an
 * asset, what merchants got is an expense, and where other money came from or went to is equity.
 * Lines of holds and releases are left out: no money moves by them.
 */
export function createHledgerWriter(head: StatementHead): StatementWriter {
  const { currency, openingMinor } = head;
  const exponent = exponentOf(currency);
  // Journals of several wallets can be put together.
  const walletAccount = `assets:wallets:${currency}:${head.walletId.slice(0, 8)}`;
  const offsetOf = createZoneClock(head.timezone);
  const money = (minor: bigint): string => `${formatMinor(minor, exponent)} ${currency}`;
  const posting = (account: string, amount: string): string => `    ${account}  ${amount}\n`;
  const wallOf = (instantMs: number): string =>
    new Date(instantMs + offsetOf(instantMs)).toISOString();
  let lastDate = '';
  // Both programs check assertions in order of date. A clock that is set back just after midnight
  // shows yesterday again.
  const dateOf = (wall: string): string => {
    const date = wall.slice(0, 10);
    if (date > lastDate) lastDate = date;
    return lastDate;
  };
  return {
    begin: () =>
      `; wallet ${head.walletId}, time zone ${head.timezone}\n` +
      `${declareCommodity(currency, exponent)}\n` +
      `account ${walletAccount}\n` +
      (openingMinor === 0n
        ? ''
        : `\n${dateOf(wallOf(head.fromMs))} opening balance\n` +
          posting(walletAccount, `${money(openingMinor)} = ${money(openingMinor)}`) +
          posting(openingAccount, money(-openingMinor))),
    line: (line) => {
      if (line.amountMinor === 0n) return '';
      const wall = wallOf(line.occurredAtMs);
      const note = line.description ?? merchantOf(line.contraAccount) ?? '';
      const title = escapeText(note) || line.operation;
      const amount = `${money(line.amountMinor)} = ${money(line.balanceAfterMinor)}`;
      return (
        `\n${dateOf(wall)} (${line.transactionId}) ${title}\n` +
        `    ; ${line.operation} at ${wall.slice(11, 23)}, number ${line.seq}\n` +
        posting(walletAccount, amount) +
        posting(toAccount(line.contraAccount), money(-line.amountMinor))
      );
    },
    end: () => '',
  };
}

/** A format without decimals needs a decimal mark in hledger, and must not have one in ledger. */
const declareCommodity = (currency: string, exponent: number): string =>
  exponent === 0
    ? `commodity ${currency}`
    : `commodity ${currency}\n    format 1000.${'0'.repeat(exponent)} ${currency}`;

/** Both programs split accounts at colons: a merchant's name stays one part. */
function toAccount(contraAccount: string): string {
  // A purchase may have been made without a merchant.
  const merchant = /^merchant:?$/.test(contraAccount) ? '' : merchantOf(contraAccount);
  if (merchant === undefined) return `equity:${nameParts(contraAccount).join(':')}`;
  return `expenses:merchants:${nameParts(merchant.replaceAll(':', '-')).join('')}`;
}

/** The parts of an account, none of them empty. */
const nameParts = (text: string): string[] =>
  text.split(':').map((part) => escapeText(part) || 'unknown');

/**
 * Text on one line, without what either program takes for syntax: two blanks end an account, `;`
 * begins a comment, `|` splits payee from note.
 */
function escapeText(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ')
    .replaceAll(';', ',')
    .replaceAll('|', '/')
    .trim();
}
