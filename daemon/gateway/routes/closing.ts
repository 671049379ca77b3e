import { z } from 'zod';

import { canonicalUuid } from '../../../core/ids.ts';
import { toTransactionJson, toWalletJson } from '../../../lib/json/transactions.ts';
import {
  CloseWalletRequest,
  ReopenWalletRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { uuid } from '../http/fields.ts';
import { requireIdempotencyKey } from '../http/idempotency.ts';
import { found } from '../http/problems.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';
import { transaction, transactionExample } from './transactions.ts';
import { userIdOf, walletExample, walletParams, walletShape } from './wallets.ts';

const tag = 'wallets';

const closedShape = walletShape
  .extend({
    transaction: transaction.optional().meta({ description: 'The transfer of the balance' }),
  })
  .meta({ id: 'ClosedWallet' });

const noteFields = {
  note: z.string().max(1_000).optional().meta({ description: 'Why, for the audit log' }),
  dryRun: z.boolean().optional(),
};

const closed = { ...walletExample, balance: '0.00', seq: 2, status: 'closed' };
const swept = {
  ...closed,
  transaction: {
    ...{ ...transactionExample, seq: 2, operation: 'transfer', direction: 'out' },
    balanceAfter: '0.00',
  },
};

/** Closing and reopening: `/v1/wallets/:user/:currency/…` */
export const closingRoutes: readonly Route[] = [
  defineRoute({
    method: 'POST',
    path: '/v1/wallets/:user/:currency/close',
    tag,
    summary: 'Close a wallet (staff)',
    description:
      'A closed wallet takes no transaction, and can still be read. It must be empty; with ' +
      '`sweepToUserId` its balance is transferred to that user in the same commit, and the header ' +
      '`Idempotency-Key` is required: the same key again moves and closes nothing more.',
    credential: 'required',
    idempotency: 'optional',
    params: walletParams,
    body: z.strictObject({
      ...noteFields,
      sweepToUserId: uuid
        .optional()
        .meta({ description: 'The id of the user who gets the balance' }),
    }),
    bodyExample: {
      note: 'asked for by phone',
      sweepToUserId: '3f1de0cb-6b1c-4f37-8f0c-6a8f9d6c2b10',
    },
    answers: { 200: { description: 'The wallet', schema: closedShape, example: swept } },
    problems: [
      'BALANCE_LIMIT_EXCEEDED',
      'CURRENCY_UNKNOWN',
      'IDEMPOTENCY_KEY_REQUIRED',
      'IDEMPOTENCY_KEY_REUSED',
      'OUTBOX_FULL',
      'RECIPIENT_NOT_FOUND',
      'STAFF_OWN_WALLET',
      'TRANSFER_TO_SELF',
      'WALLET_BUSY',
      'WALLET_CLOCK_AHEAD',
      'WALLET_CLOSED',
      'WALLET_CORRUPT',
      'WALLET_FROZEN',
      'WALLET_NOT_EMPTY',
      'WALLET_NOT_FOUND',
    ],
    run: async ({ params: { user: name, currency }, body, headers, call }) => {
      const { note = '', dryRun: isDryRun = false, sweepToUserId: payee } = body;
      const key =
        payee === undefined ? found('') : requireIdempotencyKey(headers['idempotency-key']);
      if (!key.ok) return key;
      const request = CloseWalletRequest.fromPartial({
        ...{ userId: userIdOf(name), currency, note, dryRun: isDryRun },
        ...(payee === undefined ? {} : { sweepToUserId: canonicalUuid(payee) ?? payee }),
        idempotencyKey: key.value,
      });
      const made = await call('wallet', wallet.closeWallet, request);
      if (!made.ok) return made;
      const { wallet: now, transaction: entry, replayed } = made.value;
      if (!now) throw new Error('the answer has no wallet');
      return answer(200, {
        ...toWalletJson({ wallet: now, isDryRun }),
        ...(entry
          ? { transaction: toTransactionJson({ transaction: entry, replayed, isDryRun }) }
          : {}),
      });
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/wallets/:user/:currency/reopen',
    tag,
    summary: 'Reopen a closed wallet (staff)',
    credential: 'required',
    params: walletParams,
    body: z.strictObject(noteFields),
    bodyExample: { note: 'closed by mistake' },
    answers: { 200: { description: 'The wallet', schema: walletShape, example: walletExample } },
    problems: ['CURRENCY_UNKNOWN', 'STAFF_OWN_WALLET', 'WALLET_BUSY', 'WALLET_NOT_FOUND'],
    run: async ({ params: { user: name, currency }, body, call }) => {
      const { note = '', dryRun: isDryRun = false } = body;
      const request = { userId: userIdOf(name), currency, note, dryRun: isDryRun };
      const changed = await call(
        'wallet',
        wallet.reopenWallet,
        ReopenWalletRequest.fromPartial(request),
      );
      if (!changed.ok) return changed;
      if (!changed.value.wallet) throw new Error('the answer has no wallet');
      return answer(200, toWalletJson({ wallet: changed.value.wallet, isDryRun }));
    },
  }),
];
