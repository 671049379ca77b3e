import type { AuthServiceServer } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Policies } from '../platform/grpc/server.ts';

/** Who may call what. */
export const policies: Policies<AuthServiceServer> = {
  signUp: 'public',
  verifyEmail: 'public',
  signIn: 'public',
  refreshSession: 'public',
  validateToken: 'public',
  getJwks: 'public',
  signOut: ['customer', 'operator', 'admin'],
  getUser: ['customer', 'operator', 'admin', 'service'],
  changePassword: ['customer', 'operator', 'admin'],
  listSessions: ['customer', 'operator', 'admin'],
  revokeSession: ['customer', 'operator', 'admin'],
  createApiKey: ['customer', 'operator', 'admin'],
  listApiKeys: ['customer', 'operator', 'admin'],
  revokeApiKey: ['customer', 'operator', 'admin'],
  resolveUsers: ['operator', 'admin', 'service'],
  listUsers: ['operator', 'admin'],
  createUser: ['operator', 'admin'],
  updateUser: ['admin'],
  listRevocations: ['service'],
  listAuditEvents: ['admin'],
};
