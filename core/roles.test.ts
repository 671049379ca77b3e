import { expect, it } from 'vitest';

import { Role as WireRole } from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import { isRole, roleOfWireNumber, roles, roleTable, withArticle } from './roles.ts';

it('the wire numbers of roles are those of the enum in auth.proto', () => {
  const enumOf = (name: string): unknown => WireRole[name.toUpperCase() as keyof typeof WireRole];
  for (const role of roles) expect(roleTable[role].wireNumber).toBe(enumOf(role));
  const numbers = Object.values(WireRole).filter((value) => typeof value === 'number');
  // Besides those of the table: UNSPECIFIED and UNRECOGNIZED.
  expect(numbers).toHaveLength(roles.length + 2);
});

it('each wire number of a role leads to its name, and no other number does', () => {
  for (const role of roles) expect(roleOfWireNumber(roleTable[role].wireNumber)).toBe(role);
  expect([0, 4, -1, 1.5].map(roleOfWireNumber)).toEqual(Array(4).fill(undefined));
});

it('inherited property names of objects are no roles', () => {
  expect(['admin', 'constructor', '', undefined, 1].map(isRole)).toEqual([
    ...[true, false, false, false, false],
  ]);
});

it('a role has the article of its first letter', () => {
  expect(roles.map(withArticle)).toEqual(['a customer', 'an operator', 'an admin']);
});
