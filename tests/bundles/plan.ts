import { createRandom, type Random } from '../fuzz/random.ts';
import { makePoison, type Poison } from '../poison/kinds.ts';
import {
  formatAmount,
  uuidOf,
  walletOf,
  type OperationName,
  type Request,
  type Wallet,
} from '../support/ledger/wallet-model.ts';

/** A message, in the order in which all are published. */
export type Step =
  | {
      /** `copy`: the same message again. `conflict`: another one under a key that was used. */
      readonly kind: 'first' | 'copy' | 'conflict';
      readonly request: Request;
      readonly body: Buffer;
    }
  | { readonly kind: 'poison'; readonly poison: Poison };

const currencies: readonly (readonly [string, number])[] = [
  ...([
    ['BRL', 2],
    ['USD', 2],
    ['EUR', 2],
    ['JPY', 0],
    ['KWD', 3],
    ['GBP', 2],
  ] as const),
  ...([
    ['CHF', 2],
    ['SEK', 2],
    ['MXN', 2],
    ['CLP', 0],
    ['TND', 3],
    ['PLN', 2],
  ] as const),
];
const merchants = ['Bookshop', 'Padaria São João', 'コンビニ', '=1+1'];
const descriptions = ['Invoice 17', 'ação “João” 日本 😀', 'a "quoted" \\ word', undefined];

export const exponentOf = (currency: string): number =>
  currencies.find(([code]) => code === currency)?.[1] ?? 0;

/** The wallets of these users: twelve each. */
export const listWallets = (userIds: readonly string[]): Wallet[] =>
  userIds.flatMap((userId) =>
    currencies.map(([currency, exponent]) => walletOf(userId, currency, exponent)),
  );

/**
 * Deposits, withdrawals, purchases and undos of some 240 wallets, one of them busy. 1 % is poison,
 * 7 % come again, and some keys come again with other content. `isOrdered`: false where the order
 * of two messages of one wallet is open, so that a conflict would have two right outcomes.
 */
export function makePlan(options: {
  readonly seed: string;
  readonly count: number;
  readonly wallets: readonly Wallet[];
  readonly isOrdered: boolean;
}): readonly Step[] {
  const { seed, count, wallets, isOrdered } = options;
  const steps: Step[] = [];
  const firsts: Request[] = [];
  const byWallet = new Map<string, Request[]>();
  let poisons = 0;
  const addFirst = (random: Random, n: number): void => {
    const wallet = random.chance(5) ? wallets[0] : random.pick(wallets);
    if (!wallet) return;
    const before = byWallet.get(wallet.id) ?? [];
    byWallet.set(wallet.id, before);
    const request = makeRequest(random, wallet, before, `${seed}-${n}`);
    before.push(request);
    firsts.push(request);
    steps.push({ kind: 'first', request, body: toBody(random, request) });
  };
  for (let n = 0; n < count; n += 1) {
    const random = createRandom(seed, 'bundles', n);
    const chance = random.int(1_000);
    if (n % 100 === 50) {
      steps.push({ kind: 'poison', poison: nextPoison(wallets) });
    } else if (chance < 70 && firsts.length > 0) {
      // Right away, or much later.
      const at = chance < 40 ? firsts.length - 1 : random.int(firsts.length);
      const request = firsts[at] ?? random.pick(firsts);
      steps.push({ kind: 'copy', request, body: toBody(random, request) });
    } else if (chance < 76 && isOrdered && firsts.length > 0) {
      const request = toConflict(random.pick(firsts));
      if (request) steps.push({ kind: 'conflict', request, body: toBody(random, request) });
      else addFirst(random, n);
    } else addFirst(random, n);
  }
  return steps;

  function nextPoison(of: readonly Wallet[]): Poison {
    const userId = of[poisons % of.length]?.userId ?? '';
    for (;;) {
      const poison = makePoison(poisons, userId);
      poisons += 1;
      // The raw frames for such headers can be sent without a confirmation only.
      if (!poison.hasDeepHeaders) return poison;
    }
  }
}

function makeRequest(
  random: Random,
  wallet: Wallet,
  before: readonly Request[],
  key: string,
): Request {
  const chance = random.int(100);
  const named = {
    ...{ key, id: uuidOf(wallet.id, `message:${key}`), wallet },
    ...({ source: 'message', actor: 'amqp', description: random.pick(descriptions) } as const),
  };
  const none = { amountMinor: undefined, parentId: undefined, merchant: undefined };
  if (chance >= 88 && before.length > 0) {
    const parent = before[Math.max(0, before.length - 1 - random.int(8))];
    const operation =
      parent?.operation === 'purchase' && random.chance(70) ? 'cancellation' : 'reversal';
    return { ...named, ...none, operation, parentId: parent?.id };
  }
  if (chance < 42) {
    return { ...named, ...none, operation: 'deposit', amountMinor: BigInt(1 + random.int(10_000)) };
  }
  const amountMinor = BigInt(1 + random.int(14_000));
  if (chance < 70) return { ...named, ...none, operation: 'withdraw', amountMinor };
  const merchant = random.chance(80) ? random.pick(merchants) : undefined;
  return { ...named, ...none, operation: 'purchase', amountMinor, merchant };
}

/** The same key for another amount. */
const toConflict = (request: Request): Request | undefined =>
  request.amountMinor === undefined
    ? undefined
    : { ...request, amountMinor: request.amountMinor + 1n };

const messageNumbers: Readonly<Partial<Record<OperationName, number>>> = {
  ...{ deposit: 0, withdraw: 1, purchase: 2, reversal: 3, cancellation: 4 },
};

/** As a producer may write it: ids in upper case, operations as numbers. */
function toBody(random: Random, request: Request): Buffer {
  const { wallet, operation, amountMinor, parentId, merchant, description } = request;
  const transaction = {
    operation: random.chance(50) ? operation : (messageNumbers[operation] ?? operation),
    ...(amountMinor !== undefined && { amount: formatAmount(amountMinor, wallet.exponent) }),
    ...{ currency: wallet.currency, id: parentId, merchant, description },
  };
  const userId = random.chance(50) ? wallet.userId : wallet.userId.toUpperCase();
  const message = { pattern: 'transaction_emitted', data: { userId, transaction } };
  return Buffer.from(JSON.stringify(message));
}
