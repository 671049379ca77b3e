import type { AsyncCommand } from 'fast-check';

import {
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isOpened, listMoved, type Caller, type Model, type Place } from '../model.ts';
import { tokenOf, type Real } from '../real.ts';
import { availableOf } from '../../support/ledger/wallet-model.ts';
import { expectSame } from './expect.ts';
import { nameOf } from './transactions.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

/** What is asked about a wallet, and by whom. */
type Question = { readonly place: Place; readonly caller: Caller };
const isOwn = ({ place, caller }: Question): boolean => caller === 'staff' || caller === place;
const describe = ({ place, caller }: Question): string => `wallet ${place}, by ${nameOf(caller)}`;

/** The balance now. */
export const readBalance = (of: Question): Command => ({
  check: () => isOwn(of),
  run: async (model, real) => {
    const state = model.wallets[of.place];
    const { answer, rest } = await askBalance(real, of, undefined);
    expectSame('the balance', answer, `${state.balanceMinor} at seq ${state.seq}`);
    const { heldMinor, overdraftMinor } = state;
    expectSame('the rest of it', rest, [heldMinor, availableOf(state), overdraftMinor].join());
    model.answers += 1;
  },
  toString: () => `balance of ${describe(of)}`,
});

/** The balance as of now, which is reported once more later. */
export const reportBalance = (of: Question): Command => ({
  check: () => isOwn(of),
  run: async (model, real) => {
    // Of a time that has not come the answer is about the present.
    const { asOf, answer } = await askBalance(real, of, new Date(Date.now() + 3_600_000));
    const ask = async (): Promise<string> => (await askBalance(real, of, asOf)).answer;
    real.reports.push({ what: `the balance as of ${asOf.toISOString()}`, text: answer, ask });
    model.reports += 1;
    model.answers += 1;
  },
  toString: () => `balance of ${describe(of)}, as of now`,
});

/** Reports of a wallet that was never opened, before the server's clock steps back. */
export const reportUnopened = (of: Question): Command => ({
  check: (model) => isOwn(of) && !isOpened(model, of.place),
  run: async (model, real) => {
    await reportBalance(of).run(model, real);
    await reportStatement(of).run(model, real);
    const { serverClock } = real.site;
    await serverClock.step(serverClock.offsetSeconds > 0 ? 0 : -60);
  },
  toString: () => `reports of ${describe(of)}, and the clock of the server steps back`,
});

/** A statement up to now: it has every transaction, and is reported once more later. */
export const reportStatement = (of: Question): Command => ({
  check: () => isOwn(of),
  run: async (model, real) => {
    const { done, balanceMinor } = model.wallets[of.place];
    const { text, ids, closingMinor, from, to } = await askStatement(real, of);
    expectSame('the lines of the statement', ids, listMoved(done));
    expectSame('the closing balance', closingMinor, balanceMinor);
    const ask = async (): Promise<string> => (await askStatement(real, of, from, to)).text;
    real.reports.push({ what: `the statement to ${to.toISOString()}`, text, ask });
    model.reports += 1;
    model.answers += 1;
  },
  toString: () => `statement of ${describe(of)}`,
});

/** What was reported before is asked for again. */
export const readAgain = (at: number): Command => ({
  check: ({ reports }) => reports > 0,
  run: async (model, real) => {
    const report = real.reports[at % real.reports.length];
    if (report) expectSame(`${report.what}, again`, await report.ask(), report.text);
    model.answers += 1;
  },
  toString: () => `report ${at} again`,
});

async function askBalance(
  real: Real,
  { place, caller }: Question,
  at: Date | undefined,
): Promise<{ readonly answer: string; readonly rest: string; readonly asOf: Date }> {
  const request = { ...ownerOf(real, place, caller), ...(at === undefined ? {} : { at }) };
  const token = tokenOf(real, caller);
  const method = WalletServiceService.getBalance;
  const answer = await real.connection().call(method, request, token, timeoutMs);
  if (!answer.ok) throw new Error(`a balance was refused with ${answer.reason}`);
  const { wallet: found, asOf } = answer.value;
  const text = `${found?.balanceMinor ?? 0n} at seq ${found?.seq ?? 0n}`;
  const { heldMinor = 0n, overdraftLimitMinor = 0n } = found ?? {};
  const rest = [heldMinor, found?.availableMinor ?? 0n, overdraftLimitMinor].join();
  return { answer: text, rest, asOf: asOf ?? new Date(NaN) };
}

function ownerOf(real: Real, place: Place, caller: Caller) {
  const { userId, currency } = real.customer(place).wallet;
  return { userId: caller === 'staff' ? userId : '', currency };
}

const completeMs = 10_000;

/** Asks until it is complete. */
async function askStatement(real: Real, { place, caller }: Question, from?: Date, to?: Date) {
  const period = { ...(from ? { from } : {}), ...(to ? { to } : {}) };
  const page = { timezone: '', pageSize: 1_000, pageToken: '', operations: [], descending: false };
  const request = { ...ownerOf(real, place, caller), ...period, ...page };
  const token = tokenOf(real, caller);
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
