import { randomUUID } from 'node:crypto';

import { key, me, ofQuery, ofUser, reads, readsOne, type Row } from './row.ts';

const ofWallet = (userId: string) => ({ params: { user: me(userId), currency: 'BRL' } });

/** Who has the hold is said, so that it need not be looked up. */
const uses = (): Row => ({
  rpc: 'wallet.createTransaction',
  plain: ({ userId: user }) => ({
    params: { id: randomUUID() },
    body: { user, currency: 'BRL', dryRun: true },
    headers: key(),
  }),
  effective: ({ holdId: id, userId: user }) => ({
    params: { id },
    body: { user, currency: 'BRL' },
    headers: key(),
  }),
});

/** Holds, and the terms of wallets. */
export const holdRows: Readonly<Record<string, Row>> = {
  'POST /v1/holds': {
    rpc: 'wallet.createTransaction',
    plain: ({ userId }) => ({
      body: { amount: '1.00', ...ofUser(userId), dryRun: true },
      headers: key(),
    }),
    effective: ({ userId }) => ({
      body: { amount: '1.00', ...ofUser(userId) },
      headers: key(),
    }),
  },
  'POST /v1/holds/:id/capture': uses(),
  'POST /v1/holds/:id/release': uses(),
  'GET /v1/holds': reads('wallet.listHolds', ofQuery),
  'GET /v1/holds/:id': readsOne('wallet.getHold', ({ holdId: id }) => ({ params: { id } })),
  'GET /v1/wallets/:user/:currency/terms': reads('wallet.getWalletTerms', ofWallet),
  'PUT /v1/wallets/:user/:currency/terms': {
    rpc: 'wallet.setWalletTerms',
    plain: ({ userId }) => ({ ...ofWallet(userId), body: { overdraftLimit: '0', dryRun: true } }),
    effective: ({ userId }) => ({ ...ofWallet(userId), body: { overdraftLimit: '5.00' } }),
  },
};
