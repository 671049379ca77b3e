import type { AsyncCommand } from 'fast-check';

import {
  WalletServiceService,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  isOpened,
  type Caller,
  type Limits,
  type Model,
  type Place,
  type Status,
} from '../model.ts';
import { tokenOf, type Real } from '../real.ts';
import { expectSame } from './expect.ts';
import { nameOf } from './transactions.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

export type StatusChange = 'freeze' | 'freeze debits' | 'unfreeze' | 'close' | 'reopen';

/** An operator changes the status of a wallet, whether it is so already or not. */
export const setStatus = (place: Place, change: StatusChange): Command => ({
  check: () => true,
  run: async (model, real) => {
    const { wallet } = real.customer(place);
    const { userId, currency } = wallet;
    const asked = { userId, currency, note: 'looked into', dryRun: false };
    const expected = decideStatus(model, place, change);
    const answer = await callStatus(real, change, asked);
    const found = answer.ok ? describe(answer.value.wallet) : answer.reason;
    expectSame('the status', found, expected ?? statusIn(model, place));
    model.answers += 1;
  },
  toString: () => `operator: ${change} wallet ${place}`,
});

type Asked = {
  readonly userId: string;
  readonly currency: string;
  readonly note: string;
  readonly dryRun: boolean;
};

function callStatus(real: Real, change: StatusChange, asked: Asked) {
  const { freezeWallet, unfreezeWallet, closeWallet, reopenWallet } = WalletServiceService;
  const { token } = real.operator;
  const connection = real.connection();
  switch (change) {
    case 'unfreeze':
      return connection.call(unfreezeWallet, asked, token, timeoutMs);
    case 'reopen':
      return connection.call(reopenWallet, asked, token, timeoutMs);
    case 'close': {
      const request = { ...asked, idempotencyKey: '' };
      return connection.call(closeWallet, request, token, timeoutMs);
    }
    default: {
      const request = { ...asked, debitsOnly: change === 'freeze debits' };
      return connection.call(freezeWallet, request, token, timeoutMs);
    }
  }
}

/** Changes it in the model, or says why not. */
function decideStatus(model: Model, place: Place, change: StatusChange): string | undefined {
  if (!isOpened(model, place)) return 'WALLET_NOT_FOUND';
  const { statuses } = model;
  const { balanceMinor, heldMinor } = model.wallets[place];
  const isClosed = statuses[place] === 'closed';
  if (change === 'close') {
    if (balanceMinor !== 0n || heldMinor !== 0n) return 'WALLET_NOT_EMPTY';
    statuses[place] = 'closed';
  } else if (change === 'reopen') {
    if (isClosed) statuses[place] = 'active';
  } else if (isClosed) return 'WALLET_CLOSED';
  else statuses[place] = statusAfter[change];
  return undefined;
}

const statusAfter = {
  freeze: 'frozen',
  'freeze debits': 'debits_frozen',
  unfreeze: 'active',
} as const;

/** All that a run does is within a day. */
const toWire = ({ perTransactionMinor, dayMinor }: Limits) => ({
  ...{ perTransactionMinor, rolling: [{ hours: 24, amountMinor: dayMinor }], timezone: '' },
});

type TermsChange = { readonly overdraftMinor: bigint; readonly limits: Limits | undefined };

/** An operator sets overdraft and spending limits; what is owed already stays. */
export const setTerms = (place: Place, { overdraftMinor, limits }: TermsChange): Command => ({
  check: (model) => isOpened(model, place),
  run: async (model, real) => {
    const { userId, currency } = real.customer(place).wallet;
    const method = WalletServiceService.setWalletTerms;
    const asked = {
      ...{ userId, currency, note: 'agreed', dryRun: false, overdraftLimitMinor: overdraftMinor },
      ...{ clearLimits: limits === undefined, ...(limits ? { limits: toWire(limits) } : {}) },
    };
    const { token } = real.operator;
    const answer = await real.connection().call(method, asked, token, timeoutMs);
    model.wallets[place].overdraftMinor = overdraftMinor;
    model.limits[place] = limits;
    const { terms } = answer.ok ? answer.value : {};
    const found = [terms?.overdraftLimitMinor, terms?.limits?.perTransactionMinor];
    expectSame('the terms', found, [overdraftMinor, limits?.perTransactionMinor]);
    model.answers += 1;
  },
  toString: () =>
    `operator: overdraft ${overdraftMinor}, ${limits?.dayMinor ?? 'no'} a day on ${place}`,
});

/** Only a wallet that was opened is listed, to its owner and to an operator. */
export const listWallet = (place: Place, caller: Caller): Command => ({
  check: () => caller === 'staff' || caller === place,
  run: async (model, real) => {
    const { userId, currency } = real.customer(place).wallet;
    const method = WalletServiceService.listWallets;
    const asked = { userId: caller === 'staff' ? userId : '', pageSize: 0, pageToken: '' };
    const answer = await real.connection().call(method, asked, tokenOf(real, caller), timeoutMs);
    if (!answer.ok) throw new Error(`a list of wallets was refused with ${answer.reason}`);
    const found = answer.value.wallets.find((each) => each.currency === currency);
    expectSame('the listed wallet', found && describe(found), statusIn(model, place));
    model.answers += 1;
  },
  toString: () => `${nameOf(caller)}: the list with wallet ${place}`,
});

const describe = (
  wallet: { readonly status: WalletStatus; readonly balanceMinor: bigint } | undefined,
): string => `${names[wallet?.status ?? WalletStatus.UNSPECIFIED]} ${wallet?.balanceMinor}`;

const names: Readonly<Partial<Record<WalletStatus, Status>>> = {
  [WalletStatus.ACTIVE]: 'active',
  [WalletStatus.FROZEN]: 'frozen',
  [WalletStatus.DEBITS_FROZEN]: 'debits_frozen',
  [WalletStatus.CLOSED]: 'closed',
};

/** Undefined where there is no wallet. */
function statusIn(model: Model, place: Place): string | undefined {
  if (!isOpened(model, place)) return undefined;
  return `${model.statuses[place]} ${model.wallets[place].balanceMinor}`;
}
