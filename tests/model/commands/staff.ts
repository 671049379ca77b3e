import type { AsyncCommand } from 'fast-check';

import {
  WalletServiceService,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isOpened, type Caller, type Model, type Place } from '../model.ts';
import { tokenOf, type Real } from '../real.ts';
import { expectSame } from './expect.ts';
import { nameOf } from './transactions.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

/** An operator freezes or unfreezes a wallet, whether it is so already or not. */
export const setFrozen = (place: Place, isFrozen: boolean): Command => ({
  check: () => true,
  run: async (model, real) => {
    const { freezeWallet, unfreezeWallet } = WalletServiceService;
    const method = isFrozen ? freezeWallet : unfreezeWallet;
    const { wallet } = real.customer(place);
    const { userId, currency } = wallet;
    const asked = { userId, currency, note: 'looked into', dryRun: false };
    const token = real.operator.token;
    const answer = await real.connection().call(method, asked, token, timeoutMs);
    if (isOpened(model, place)) model.frozen[place] = isFrozen;
    const found = answer.ok ? describe(answer.value.wallet) : answer.reason;
    expectSame('the status', found, statusIn(model, place) ?? 'WALLET_NOT_FOUND');
    model.answers += 1;
  },
  toString: () => `operator: ${isFrozen ? 'freeze' : 'unfreeze'} wallet ${place}`,
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
): string =>
  `${wallet?.status === WalletStatus.FROZEN ? 'frozen' : 'active'} ${wallet?.balanceMinor}`;

/** Undefined where there is no wallet. */
function statusIn(model: Model, place: Place): string | undefined {
  if (!isOpened(model, place)) return undefined;
  return `${model.frozen[place] ? 'frozen' : 'active'} ${model.wallets[place].balanceMinor}`;
}
