import type { AuthServiceServer } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Policies } from '../platform/grpc/server.ts';

const allRoles = ['customer', 'operator', 'admin'] as const;
const staff = ['operator', 'admin'] as const;
const admins = ['admin'] as const;

/** Who may call what. Customers reach only what is their own; the handlers see to that. */
export const policies: Policies<AuthServiceServer> = {
  signUp: 'public',
  verifyEmail: 'public',
  requestPasswordReset: 'public',
  resetPassword: 'public',
  requestEmailChange: { roles: allRoles },
  confirmEmailChange: { roles: allRoles },
  signIn: 'public',
  refreshSession: 'public',
  exchangeSession: { roles: [], service: true },
  validateToken: 'public',
  getJwks: 'public',
  signOut: { roles: allRoles, enrolling: true },
  getUser: { roles: allRoles, scope: 'users:read', service: true, enrolling: true },
  changePassword: { roles: allRoles },
  listSessions: { roles: allRoles },
  revokeSession: { roles: allRoles },
  revokeAllCredentials: { roles: allRoles },
  createApiKey: { roles: allRoles },
  listApiKeys: { roles: allRoles },
  revokeApiKey: { roles: allRoles },
  resolveUsers: { roles: staff, scope: 'users:read', service: true },
  resolveRecipient: { roles: allRoles, scope: 'transactions:write' },
  listUsers: { roles: staff, scope: 'users:read' },
  createUser: { roles: staff },
  updateUser: { roles: admins },
  listRevocations: { roles: [], service: true },
  listAuditEvents: { roles: admins },
  getTotpStatus: { roles: allRoles, enrolling: true },
  beginTotp: { roles: allRoles, enrolling: true },
  enableTotp: { roles: allRoles, enrolling: true },
  disableTotp: { roles: allRoles },
  regenerateRecoveryCodes: { roles: allRoles },
  getStatus: { roles: allRoles, scope: 'any' },
};
