import { z } from 'zod';

import { toBalanceJson, toWalletJson, walletStatusNames } from '../../../lib/json/transactions.ts';
import {
  FreezeWalletRequest,
  GetBalanceRequest,
  ListWalletsRequest,
  UnfreezeWalletRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { currency, money, page, pageOf, time, timeOf, user, uuid } from '../http/fields.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';

const tag = 'wallets';

const availableFields = {
  available: money.optional().meta({
    description:
      'What can be spent: with the overdraft limit, without what is held. Not of the past: what ' +
      'the limit was is not in the ledger',
  }),
  held: money.optional().meta({ description: 'Reserved by open holds' }),
  overdraftLimit: money.optional().meta({ description: 'How far below 0 the balance may go' }),
};

/** docs/cli.md, "JSON": a wallet. */
export const walletShape = z
  .object({
    id: uuid,
    userId: uuid,
    currency,
    balance: money.optional().meta({ description: 'Absent if the wallet is corrupt' }),
    ...availableFields,
    seq: z.int().meta({ description: 'Of the last transaction' }),
    status: z.enum(walletStatusNames),
    lastAt: time.optional(),
    dryRun: z.literal(true).optional(),
  })
  .meta({ id: 'Wallet' });

const balanceShape = z
  .object({
    walletId: uuid,
    userId: uuid,
    currency,
    balance: money.optional(),
    ...availableFields,
    seq: z.int(),
    status: z.enum(walletStatusNames).meta({ description: 'Now, also in a balance of the past' }),
    asOf: time,
  })
  .meta({ id: 'Balance' });

export const walletExample = {
  id: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  currency: 'BRL',
  balance: '100.00',
  seq: 1,
  status: 'active',
  lastAt: '2026-11-22T21:42:10.123Z',
};
const { id: walletId, userId, balance, seq, status: exampleStatus } = walletExample;
const balanceExample = {
  ...{ walletId, userId, currency: 'BRL', balance, seq, status: exampleStatus },
  asOf: '2026-11-22T21:42:11.000Z',
};

export const walletParams = z.strictObject({
  user: z.string().max(36).meta({ description: 'The id of a user, or `me`', example: 'me' }),
  currency,
});

/** Of the caller where it is `me`. */
export const userIdOf = (name: string): string => (name === 'me' ? '' : name);

/** Reads, and the status of a wallet: `/v1/wallets` */
export const walletRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/wallets',
    tag,
    summary: 'List wallets',
    description: 'The caller’s own; for staff all wallets, or those of one user.',
    credential: 'required',
    query: z.strictObject({ user, ...page }),
    answers: {
      200: {
        description: 'A page',
        schema: pageOf(walletShape),
        example: { items: [walletExample] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['PAGE_TOKEN_INVALID'],
    run: async ({ query, call }) => {
      const request = { userId: query.user ?? '', ...readPage(query) };
      const listed = await call(
        'wallet',
        wallet.listWallets,
        ListWalletsRequest.fromPartial(request),
      );
      if (!listed.ok) return listed;
      const items = listed.value.wallets.map((each) =>
        toWalletJson({ wallet: each, isDryRun: false }),
      );
      return toPage('/v1/wallets', query, items, listed.value.nextPageToken);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/wallets/:user/:currency',
    tag,
    summary: 'Get a balance, now or as of a time',
    credential: 'required',
    params: walletParams,
    query: z.strictObject({ at: time.optional().meta({ description: 'RFC 3339; default now' }) }),
    answers: { 200: { description: 'The balance', schema: balanceShape, example: balanceExample } },
    problems: ['CURRENCY_UNKNOWN', 'USER_REQUIRED', 'WALLET_BUSY', 'WALLET_CORRUPT'],
    run: async ({ params: { user: name, currency: of }, query, call }) => {
      const at = timeOf(query.at, 'at');
      if (!at.ok) return at;
      const request = GetBalanceRequest.fromPartial({
        ...{ userId: userIdOf(name), currency: of },
        ...(at.value ? { at: at.value } : {}),
      });
      const got = await call('wallet', wallet.getBalance, request);
      if (!got.ok) return got;
      if (!got.value.wallet) throw new Error('the answer has no wallet');
      return answer(200, toBalanceJson({ wallet: got.value.wallet, asOf: got.value.asOf }));
    },
  }),
  defineRoute({
    method: 'PATCH',
    path: '/v1/wallets/:user/:currency',
    tag,
    summary: 'Freeze or unfreeze a wallet (staff)',
    credential: 'required',
    params: walletParams,
    body: z.strictObject({
      status: z.enum(['active', 'frozen', 'debits_frozen']).meta({
        description: '`debits_frozen`: the wallet takes credits only',
      }),
      note: z.string().max(1_000).optional().meta({ description: 'Why, for the audit log' }),
      dryRun: z.boolean().optional(),
    }),
    bodyExample: { status: 'frozen', note: 'asked for by phone' },
    answers: { 200: { description: 'The wallet', schema: walletShape, example: walletExample } },
    problems: ['CURRENCY_UNKNOWN', 'STAFF_OWN_WALLET', 'WALLET_CLOSED', 'WALLET_NOT_FOUND'],
    run: async ({ params: { user: name, currency: of }, body, call }) => {
      const { status, note = '', dryRun = false } = body;
      const request = { userId: userIdOf(name), currency: of, note, dryRun };
      const changed =
        status === 'active'
          ? await call('wallet', wallet.unfreezeWallet, UnfreezeWalletRequest.fromPartial(request))
          : await call(
              'wallet',
              wallet.freezeWallet,
              FreezeWalletRequest.fromPartial({
                ...request,
                debitsOnly: status === 'debits_frozen',
              }),
            );
      if (!changed.ok) return changed;
      if (!changed.value.wallet) throw new Error('the answer has no wallet');
      return answer(200, toWalletJson({ wallet: changed.value.wallet, isDryRun: dryRun }));
    },
  }),
];
