import type { AuthServiceServer } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Policies } from '../platform/grpc/server.ts';

const everybody = ['customer', 'operator', 'admin'] as const;
const staff = ['operator', 'admin'] as const;
const admins = ['admin'] as const;

/** Who may call what. Customers reach only what is their own; the handlers see to that. */
export const policies: Policies<AuthServiceServer> = {
  signUp: 'public',
  verifyEmail: 'public',
  requestPasswordReset: 'public',
  resetPassword: 'public',
  requestEmailChange: { roles: everybody },
  confirmEmailChange: { roles: everybody },
  signIn: 'public',
  refreshSession: 'public',
  validateToken: 'public',
  getJwks: 'public',
  signOut: { roles: everybody, enrolling: true },
  getUser: { roles: everybody, scope: 'users:read', service: true, enrolling: true },
  changePassword: { roles: everybody },
  listSessions: { roles: everybody },
  revokeSession: { roles: everybody },
  revokeAllCredentials: { roles: everybody },
  createApiKey: { roles: everybody },
  listApiKeys: { roles: everybody },
  revokeApiKey: { roles: everybody },
  resolveUsers: { roles: staff, scope: 'users:read', service: true },
  listUsers: { roles: staff, scope: 'users:read' },
  createUser: { roles: staff },
  updateUser: { roles: admins },
  listRevocations: { roles: [], service: true },
  listAuditEvents: { roles: admins },
  getTotpStatus: { roles: everybody, enrolling: true },
  beginTotp: { roles: everybody, enrolling: true },
  enableTotp: { roles: everybody, enrolling: true },
  disableTotp: { roles: everybody },
  regenerateRecoveryCodes: { roles: everybody },
};
