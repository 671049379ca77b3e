import type { AsyncCommand } from 'fast-check';

import {
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Model, Place } from '../model.ts';
import type { Customer, Real } from '../real.ts';
import { expectSame } from './expect.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

/** The balance now. */
export const readBalance = (place: Place): Command => ({
  check: () => true,
  run: async (model, real) => {
    const { seq, balanceMinor } = model.wallets[place];
    const { answer } = await askBalance(real, real.customer(place), undefined);
    expectSame('the balance', answer, `${balanceMinor} at seq ${seq}`);
  },
  toString: () => `balance of wallet ${place}`,
});

/**
 * A wallet that was never opened has no watermark: a clock that steps back changes what was
 * reported of it (decision 21). Of such a wallet nothing is asked twice.
 */
export const isOpen = ({ seq }: Model['wallets'][Place]): boolean => seq > 0;

/** The balance as of now, which is reported once more later. */
export const reportBalance = (place: Place): Command => ({
  check: ({ wallets }) => isOpen(wallets[place]),
  run: async (model, real) => {
    const customer = real.customer(place);
    // Of a time that has not come the answer is about the present.
    const { asOf, answer } = await askBalance(real, customer, new Date(Date.now() + 3_600_000));
    const ask = async (): Promise<string> => (await askBalance(real, customer, asOf)).answer;
    real.reports.push({ what: `the balance as of ${asOf.toISOString()}`, text: answer, ask });
    model.reports += 1;
  },
  toString: () => `balance of wallet ${place} as of now`,
});

/** A statement up to now: it has every transaction, and is reported once more later. */
export const reportStatement = (place: Place): Command => ({
  check: ({ wallets }) => isOpen(wallets[place]),
  run: async (model, real) => {
    const customer = real.customer(place);
    const { done, balanceMinor } = model.wallets[place];
    const { text, ids, closingMinor, from, to } = await askStatement(real, customer);
    expectSame('the lines of the statement', ids, [...done.keys()]);
    expectSame('the closing balance', closingMinor, balanceMinor);
    const ask = async (): Promise<string> => (await askStatement(real, customer, from, to)).text;
    real.reports.push({ what: `the statement to ${to.toISOString()}`, text, ask });
    model.reports += 1;
  },
  toString: () => `statement of wallet ${place}`,
});

/** What was reported before is asked for again. */
export const readAgain = (at: number): Command => ({
  check: ({ reports }) => reports > 0,
  run: async (_model, real) => {
    const report = real.reports[at % real.reports.length];
    if (report) expectSame(`${report.what}, again`, await report.ask(), report.text);
  },
  toString: () => `report ${at} again`,
});

async function askBalance(
  real: Real,
  { wallet, token }: Customer,
  at: Date | undefined,
): Promise<{ readonly answer: string; readonly asOf: Date }> {
  const request = { userId: '', currency: wallet.currency, ...(at === undefined ? {} : { at }) };
  const method = WalletServiceService.getBalance;
  const answer = await real.connection().call(method, request, token, timeoutMs);
  if (!answer.ok) throw new Error(`a balance was refused with ${answer.reason}`);
  const { wallet: found, asOf } = answer.value;
  const text = `${found?.balanceMinor ?? 0n} at seq ${found?.seq ?? 0n}`;
  return { answer: text, asOf: asOf ?? new Date(NaN) };
}

const completeMs = 10_000;

/** Asks until it is complete. */
async function askStatement(real: Real, { wallet, token }: Customer, from?: Date, to?: Date) {
  const period = { ...(from ? { from } : {}), ...(to ? { to } : {}) };
  const page = { timezone: '', pageSize: 1_000, pageToken: '', operations: [], descending: false };
  const request = { userId: '', currency: wallet.currency, ...period, ...page };
  const endsAtMs = performance.now() + completeMs;
  for (;;) {
    const method = StatementServiceService.generateStatement;
    const answer = await real.connection().call(method, request, token, timeoutMs);
    if (!answer.ok) throw new Error(`a statement was refused with ${answer.reason}`);
    const { status, statement } = answer.value;
    if (status === StatementStatus.COMPLETE && statement) {
      const ids = statement.lines.map(({ transactionId }) => transactionId);
      const { openingMinor, closingMinor } = statement;
      const balances = statement.lines.map((line) => String(line.balanceAfterMinor));
      const text = [openingMinor, closingMinor, ...ids, ...balances].join(' ');
      const range = { from: statement.from ?? new Date(NaN), to: statement.to ?? new Date(NaN) };
      return { text, ids, closingMinor, ...range };
    }
    if (performance.now() > endsAtMs) throw new Error('a statement is not complete after 10 s');
  }
}
