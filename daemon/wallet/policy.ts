import type { WalletServiceServer } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Policies } from '../platform/grpc/server.ts';

/** Who may call what. Customers reach their own wallets only; the handlers see to that. */
export const policies: Policies<WalletServiceServer> = {
  createTransaction: ['customer', 'operator', 'admin'],
  streamTransactions: ['customer', 'operator', 'admin'],
  getTransaction: ['customer', 'operator', 'admin'],
  listTransactions: ['customer', 'operator', 'admin'],
  getBalance: ['customer', 'operator', 'admin', 'service'],
  listWallets: ['customer', 'operator', 'admin'],
  freezeWallet: ['operator', 'admin'],
  unfreezeWallet: ['operator', 'admin'],
  streamLedger: ['service'],
  verifyLedger: ['admin', 'service'],
  listDeadLetters: ['operator', 'admin'],
  replayDeadLetters: ['operator', 'admin'],
  discardDeadLetters: ['operator', 'admin'],
  listAuditEvents: ['admin'],
};
