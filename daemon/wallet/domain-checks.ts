import { amountLimitMinor, formatMinor } from '../../core/money.ts';
import { isUndo } from '../../core/operations.ts';
import { isAheadUnaccepted } from './domain-clock.ts';
import { reject } from './domain-refusals.ts';
import type { Command, Decision, States, WalletState } from './domain-types.ts';

export const corruptText =
  'the wallet does not agree with its last transaction: ask an operator to look into it';

/** Why nothing at all can be entered into a wallet; undefined if something can. */
export function checkWallet(
  states: States,
  command: Command,
  wallet: WalletState,
  nowMs: number,
): Decision | undefined {
  const of = { walletId: wallet.id, currency: wallet.currency, ...nameOther(command, wallet) };
  if (states.corrupt.has(wallet.id)) return reject('WALLET_CORRUPT', corruptText, of);
  if (isAheadUnaccepted(wallet, nowMs)) {
    return reject(
      'WALLET_CLOCK_AHEAD',
      'the wallet was used or read at a time in the future: have an operator check the clock of the ' +
        'database, then accept the time (`walletd wallets accept-clock-ahead`) or wait for it',
      of,
    );
  }
  const { status } = wallet.terms;
  if (status === 'closed') {
    return reject('WALLET_CLOSED', 'the wallet is closed: staff can reopen it', of);
  }
  if (status === 'frozen' && !isStaffUndo(command) && command.operation !== 'release') {
    return reject('WALLET_FROZEN', 'the wallet is frozen: ask the staff to look into it', of);
  }
  return undefined;
}

/** Which wallet it is, where that is not the caller's own: staff may have named a hold only. */
const nameOther = ({ wallet: own, callerClass }: Command, { id, userId }: WalletState) =>
  id === own.id && callerClass !== 'staff' ? {} : { walletId: id, userId };

/** An operator looked into the wallet: the money may go back where it came from. */
const isStaffUndo = ({ callerClass, operation }: Command): boolean =>
  callerClass === 'staff' && isUndo(operation);

/** Nothing that a customer or a message asks for is forced. */
export const isForced = ({ callerClass, more }: Command): boolean =>
  more?.isForced === true && callerClass === 'staff';

/** No entry takes the sum of all debits of a wallet past this: it fits into an int8. */
const maxDebitedMinor = 9_200_000_000_000_000_000n;

/** Above 0 a credit, or money to be reserved; below 0 a debit, or money to be released. */
type Amounts = { readonly amountMinor: bigint; readonly heldMinor: bigint };

/** Whether a wallet has room for what a command moves and reserves on it. */
export function checkAmount(
  command: Command,
  wallet: WalletState,
  { amountMinor, heldMinor }: Amounts,
): Decision | undefined {
  if (amountMinor > 0n) return checkRoom(command, wallet, amountMinor);
  if (amountMinor === 0n && heldMinor <= 0n) return undefined;
  if (wallet.terms.status === 'debits_frozen' && !isStaffUndo(command)) {
    const message = 'debits of the wallet are frozen: ask the staff to look into it';
    const of = { walletId: wallet.id, currency: wallet.currency };
    return reject('WALLET_FROZEN', message, { ...of, ...nameOther(command, wallet) });
  }
  return checkFunds(command, wallet, { amountMinor, heldMinor }) ?? checkTotal(wallet, amountMinor);
}

/** What is not reserved, with the overdraft, must cover it; what was reserved covers a capture. */
function checkFunds(
  command: Command,
  wallet: WalletState,
  { amountMinor, heldMinor }: Amounts,
): Decision | undefined {
  const { balanceMinor, held, currency, exponent } = wallet;
  const { overdraftMinor } = wallet.terms;
  const { operation } = command;
  const afterMinor = balanceMinor + amountMinor;
  if (isForced(command) && isUndo(operation) && afterMinor > -amountLimitMinor) {
    return undefined;
  }
  const reservedMinor = operation === 'capture' ? 0n : (held?.heldMinor ?? 0n);
  const newlyMinor = heldMinor > 0n ? heldMinor : 0n;
  if (afterMinor + overdraftMinor >= reservedMinor + newlyMinor) return undefined;
  const isOwn = wallet.id === command.wallet.id;
  const balance = formatMinor(balanceMinor, exponent);
  const available = formatMinor(balanceMinor + overdraftMinor - reservedMinor, exponent);
  const amount = formatMinor(newlyMinor - amountMinor, exponent);
  const whose = isOwn ? 'the balance' : 'the balance of the other user';
  const isPlain = overdraftMinor === 0n && reservedMinor === 0n;
  const what = isPlain
    ? `${whose} is ${balance} ${currency}`
    : `${available} ${currency} are available (${whose} is ${balance})`;
  return reject('INSUFFICIENT_FUNDS', `${what}, less than the ${amount} ${currency} to be taken`, {
    ...{ field: 'amount', balance, amount, currency },
    ...(isPlain ? {} : { available }),
    ...nameOther(command, wallet),
  });
}

function checkTotal(wallet: WalletState, amountMinor: bigint): Decision | undefined {
  const { debitedMinor, currency, exponent } = wallet;
  if (debitedMinor - amountMinor <= maxDebitedMinor) return undefined;
  const debited = formatMinor(debitedMinor, exponent);
  const max = formatMinor(maxDebitedMinor, exponent);
  return reject(
    'DEBIT_TOTAL_EXCEEDED',
    `all debits of the wallet come to ${debited} ${currency}, and may come to ${max}: use ` +
      'the wallet of another user, or one in another currency',
    { field: 'amount', walletId: wallet.id, debited, max, currency },
  );
}

function checkRoom(
  command: Command,
  wallet: WalletState,
  amountMinor: bigint,
): Decision | undefined {
  const { balanceMinor, currency, exponent } = wallet;
  if (balanceMinor + amountMinor < amountLimitMinor) return undefined;
  const amount = formatMinor(amountMinor, exponent);
  const balance = formatMinor(balanceMinor, exponent);
  return reject(
    'BALANCE_LIMIT_EXCEEDED',
    `${amount} ${currency} more would bring the balance of ${balance} ${currency} past its limit`,
    { field: 'amount', balance, amount, currency, ...nameOther(command, wallet) },
  );
}

/** What a customer learns of a payee's wallet: that it cannot be paid, and not why. */
export function maskPayee(command: Command, refusal: Decision | undefined): Decision | undefined {
  if (!refusal || command.callerClass !== 'customer') return refusal;
  return reject('RECIPIENT_UNAVAILABLE', 'the recipient cannot receive money at the moment', {
    field: 'to_user_id',
  });
}
