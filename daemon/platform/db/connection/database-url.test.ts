import { describe, expect, it } from 'vitest';

import { parseDatabaseUrl } from './database-url.ts';

const read = (text: string) => {
  const parsed = parseDatabaseUrl(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
};

describe('database URLs', () => {
  it('a database URL of one host is split into user, password, database and host', () => {
    expect(read('postgresql://us%40er:p%3Aw@db.internal/wallet')).toMatchObject({
      user: 'us@er',
      password: 'p:w',
      database: 'wallet',
      hosts: [{ host: 'db.internal', port: 5432 }],
      target: 'any',
      sslMode: undefined,
    });
  });

  it.each([
    [
      'u:p@a:1,b:2/d',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    [
      'u:p@a,b:2/d',
      [
        ['a', 5432],
        ['b', 2],
      ],
    ],
    [
      'u:p@[::1]:7,10.0.0.1/d',
      [
        ['::1', 7],
        ['10.0.0.1', 5432],
      ],
    ],
    [
      'u:p@/d?host=a,b&port=7',
      [
        ['a', 7],
        ['b', 7],
      ],
    ],
    [
      'u:p@/d?host=a,b&port=7,8',
      [
        ['a', 7],
        ['b', 8],
      ],
    ],
    ['u:p@localhost/d?host=%2Ftmp%2Fx', [['/tmp/x', 5432]]],
    ['u:p@%2Ftmp%2Fx:7/d', [['/tmp/x', 7]]],
    ['u:p@/d', [[undefined, 5432]]],
  ])('the database URL postgres://%s has the hosts %j', (rest, hosts) => {
    const expected = hosts.map(([host, port]) => ({ host, port }));
    expect(read(`postgres://${rest}`).hosts).toEqual(expected);
  });

  it('a database URL of several hosts requires a writable one by default', () => {
    expect(read('postgres://a,b/d').target).toBe('read-write');
    expect(read('postgres://a,b/d?target_session_attrs=any').target).toBe('any');
    expect(read('postgres://a/d?target_session_attrs=primary').target).toBe('primary');
  });

  it.each([
    ['mysql://a/d', 'must be a URL like'],
    ['postgres://u:sec ret@a/d', 'must be a URL like'],
    ['postgres://u:secret%zz@a/d', 'write %25'],
    ['postgres://u:secret@a:0/d', 'from 1 to 65535'],
    ['postgres://u:secret@a:70000/d', 'from 1 to 65535'],
    ['postgres://u:secret@a:1,b:2,/d', 'an empty place'],
    ['postgres://u:secret@a,,b/d', 'an empty place'],
    ['postgres://u:secret@a:b:c/d', 'as HOST, HOST:PORT'],
    ['postgres://u:secret@/d?host=a,b&port=1,2,3', '3 ports for 2 hosts'],
    [`postgres://u:secret@${Array(9).fill('a').join()}/d`, 'at most 8'],
    ['postgres://u:secret@a/d?target_session_attrs=standby', 'must be read-write'],
    ['postgres://u:secret@a/d?sslmode=no-verify', 'sslmode must be one of disable, allow'],
    ['postgres://u:secret@a/d?sslmode=verify-ca', 'needs sslrootcert'],
    ['postgres://u:secret@a/d?sslrootcert=system&sslmode=require', 'needs sslmode=verify-full'],
    ['postgres://u:secret@a/d?sslcert=/x', 'both sslcert and sslkey'],
    ['postgres://u:secret@a/d?sslmode=require&sslmode=disable', 'has sslmode twice'],
    ['postgres://u:secret@a/d?channel_binding=require', 'can only be disable or prefer'],
    ['postgres://u:secret@a/d?sslcrl=/x', 'an unknown parameter "sslcrl"'],
    ['postgres://u:secret@a/d?connect_timeout=0', '1 to 60 seconds'],
  ])('the database URL %s is refused: %s', (text, problem) => {
    const parsed = parseDatabaseUrl(text);
    expect(parsed).toMatchObject({
      ok: false,
      problem: expect.stringContaining(problem) as string,
    });
    expect(JSON.stringify(parsed)).not.toContain('secret');
  });
});
