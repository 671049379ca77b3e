import type { WalletServiceServer } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Policies } from '../platform/grpc/server.ts';

const allRoles = ['customer', 'operator', 'admin'] as const;
const staff = ['operator', 'admin'] as const;
const admins = ['admin'] as const;

/** Who may call what. Customers reach their own wallets only; the handlers see to that. */
export const policies: Policies<WalletServiceServer> = {
  createTransaction: { roles: allRoles, scope: 'transactions:write' },
  streamTransactions: { roles: allRoles, scope: 'transactions:write' },
  batchCreateTransactions: { roles: allRoles, scope: 'transactions:write' },
  getTransaction: { roles: allRoles, scope: 'wallets:read' },
  listTransactions: { roles: allRoles, scope: 'wallets:read' },
  getBalance: { roles: allRoles, scope: 'wallets:read', service: true },
  listWallets: { roles: allRoles, scope: 'wallets:read' },
  freezeWallet: { roles: staff },
  unfreezeWallet: { roles: staff },
  closeWallet: { roles: staff },
  reopenWallet: { roles: staff },
  getHold: { roles: allRoles, scope: 'wallets:read' },
  listHolds: { roles: allRoles, scope: 'wallets:read' },
  getWalletTerms: { roles: allRoles, scope: 'wallets:read' },
  setWalletTerms: { roles: staff },
  streamLedger: { roles: [], service: true },
  verifyLedger: { roles: admins, service: true },
  getStatementProof: { roles: allRoles, scope: 'wallets:read' },
  listCheckpoints: { roles: staff },
  listDeadLetters: { roles: staff, scope: 'dead-letters:read' },
  replayDeadLetters: { roles: staff, scope: 'dead-letters:write' },
  discardDeadLetters: { roles: staff, scope: 'dead-letters:write' },
  listAuditEvents: { roles: admins },
  getStatus: { roles: allRoles, scope: 'any' },
};
