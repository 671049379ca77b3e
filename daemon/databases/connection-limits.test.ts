import { describe, expect, it } from 'vitest';

import {
  embeddedConnections,
  findLimitFault,
  listLimitNotices,
  sizePools,
  type LimitsByService,
} from './connection-limits.ts';

const unlimited = { server: 'a', max: 100, reserved: 3, used: 6, roleLimit: -1, databaseLimit: -1 };
type Limits = typeof unlimited;
const limits = (
  auth: Partial<Limits> = {},
  wallet: Partial<Limits> = {},
  statement: Partial<Limits> = {},
): LimitsByService =>
  new Map([
    ['auth', { ...unlimited, ...auth }],
    ['wallet', { ...unlimited, ...wallet }],
    ['statement', { ...unlimited, ...statement }],
  ]);

describe('connections of the daemon', () => {
  it('the pools of each service add up to DATABASE_CONNECTIONS', () => {
    for (const databaseConnections of [10, 16, 1_000]) {
      for (const name of ['auth', 'wallet', 'statement'] as const) {
        const { dbs, reserved, projecting } = sizePools({ databaseConnections }, name);
        expect(dbs + reserved + projecting).toBe(databaseConnections);
        expect(Math.min(dbs, reserved)).toBeGreaterThanOrEqual(4);
        expect(projecting > 0).toBe(name === 'statement');
      }
    }
  });

  it('the embedded Postgres allows enough connections for all services and commands', () => {
    expect(embeddedConnections({ databaseConnections: 16 })).toBe(100);
    expect(embeddedConnections({ databaseConnections: 100 })).toBeGreaterThan(300 + 3);
  });
});

describe('limits of a server', () => {
  it('a server must allow all connections that its services may open', () => {
    expect(findLimitFault(limits(), 32)).toBeUndefined();
    expect(findLimitFault(limits(), 33)).toEqual({
      fault:
        'the server of the databases auth, wallet and statement allows 97 connections ' +
        '(max_connections is 100, and 3 are for superusers), and this daemon may open 99',
      hint: 'set max_connections to 102 or more, or DATABASE_CONNECTIONS to 32 or less',
    });
  });

  it('the limit of a server counts for its own databases only', () => {
    const apart = limits({ server: 'a' }, { server: 'b' }, { server: 'c' });
    expect(findLimitFault(apart, 97)).toBeUndefined();
    expect(findLimitFault(apart, 98)?.fault).toContain('the server of the auth database allows 97');
  });

  it('the hint suggests no DATABASE_CONNECTIONS below what a daemon needs', () => {
    const fault = findLimitFault(limits({ max: 20 }, { max: 20 }, { max: 20 }), 16);
    expect(fault?.hint).toBe('set max_connections to 51 or more');
  });

  it('the limit of a role or a database is checked; 0 is a limit, and -1 is none', () => {
    expect(findLimitFault(limits({ roleLimit: 16 }), 16)).toBeUndefined();
    expect(findLimitFault(limits({ roleLimit: 15 }), 16)?.fault).toBe(
      'the auth database allows its role 15 connections, and the daemon may open 16',
    );
    expect(findLimitFault(limits({}, { databaseLimit: 0 }), 16)?.fault).toBe(
      'the wallet database allows the database 0 connections, and the daemon may open 16',
    );
  });

  it('connections in use by others are reported, but are not a fault', () => {
    const used = (count: number) => limits({ used: count }, { used: count }, { used: count });
    expect(listLimitNotices(used(7 + 49), 16)).toEqual([]);
    const [notice] = listLimitNotices(used(7 + 50), 16);
    expect(notice).toMatch(/allows 97 connections; others have 50 now, .* may open 48: raise/);
    expect(findLimitFault(used(97), 16)).toBeUndefined();
  });
});
