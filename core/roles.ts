/** What a user may be, with its number in the enum `Role` on the wire (auth.proto). */
export const roleTable = {
  customer: { wireNumber: 1 },
  operator: { wireNumber: 2 },
  admin: { wireNumber: 3 },
} as const;

/** Operators and admins are staff. */
export type Role = keyof typeof roleTable;

/** The names of the roles. Their order means nothing. */
export const roles = Object.keys(roleTable) as readonly Role[];

export const isRole = (value: unknown): value is Role =>
  typeof value === 'string' && Object.hasOwn(roleTable, value);

/** A role as a text names one who has it: `a customer`, `an operator`. */
export const withArticle = (role: string): string =>
  `${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role}`;

/** The role with this number on the wire; undefined for UNSPECIFIED and unknown numbers. */
export const roleOfWireNumber = (wireNumber: number): Role | undefined =>
  roles.find((role) => roleTable[role].wireNumber === wireNumber);
