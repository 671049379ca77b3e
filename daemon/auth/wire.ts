import { roles, type Role } from '../../core/roles.ts';
import {
  Role as WireRole,
  type User as WireUser,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { User } from './domain.ts';

const wireRoles: Readonly<Record<Role, WireRole>> = {
  customer: WireRole.CUSTOMER,
  operator: WireRole.OPERATOR,
  admin: WireRole.ADMIN,
};

export const toWireRole = (role: Role): WireRole => wireRoles[role];

/** The role that a number on the wire stands for; undefined for UNSPECIFIED and unknown ones. */
export function readRole(wire: WireRole): Role | undefined {
  return roles.find((role) => wireRoles[role] === wire);
}

export function toWireUser(user: User): WireUser {
  return {
    id: user.id,
    email: user.email,
    role: wireRoles[user.role],
    disabled: user.isDisabled,
    emailVerified: user.isEmailVerified,
    createdAt: new Date(user.createdAtMs),
  };
}
