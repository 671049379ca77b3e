import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createAuthority, type Authority } from '../../../../tests/support/auth/certificates.ts';
import { startPostgres, type PostgresServer } from '../../../../tests/support/postgres/server.ts';
import { classifyDbError, createDb, isCommitInDoubt, sql } from '../db.ts';
import { createLog } from '../../log.ts';

let folder: string;
let authority: Authority;
let other: Authority;
/** With a certificate for 127.0.0.1 and localhost; in the clear for `super` only. */
let server: PostgresServer;
/** One whose certificate names another host. */
let stranger: PostgresServer;
/** Without TLS. */
let plain: PostgresServer;
let strangerCa: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dw-tls-'));
  authority = createAuthority(folder, 'ours');
  other = createAuthority(folder, 'others');
  const own = authority.issue('server');
  const hba = [
    'host all super 127.0.0.1/32 trust',
    'hostssl all tls_only 127.0.0.1/32 trust',
    'hostssl all with_cert 127.0.0.1/32 cert',
  ];
  const options = { hba: `${hba.join('\n')}\n`, tls: { ...own, ca: authority.cert } };
  server = await startPostgres(options);
  for (const role of ['tls_only', 'with_cert']) await server.query(`CREATE ROLE ${role} LOGIN`);
  // A certificate that its own authority gave it, without an address of this machine.
  strangerCa = authority.cert.replace('ours.pem', 'others.pem');
  stranger = await startPostgres({ tls: { cert: other.cert, key: join(folder, 'others.key') } });
  plain = await startPostgres();
}, 120_000);

afterAll(async () => {
  for (const running of [server, stranger, plain]) await running.stop();
  await rm(folder, { recursive: true, force: true });
});

const sslSql = sql('test_ssl', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');

/** `tls` or `clear` for a connection that was made, else why not. */
async function tryUrl(url: string): Promise<string> {
  let db;
  try {
    db = createDb({ url, name: 'test', maxConnections: 1, log: createLog('silent') });
    const [row] = await db.read((tx) => tx.query<{ ssl: boolean }>(sslSql));
    return row?.ssl ? 'tls' : 'clear';
  } catch (err) {
    return (err as Error).message;
  } finally {
    await db?.close();
  }
}

const noTls = /does not support SSL/;
const untrusted = /self-signed|unable to (verify|get)/;

describe('sslmode', () => {
  it.each([
    ['disable', 'clear'],
    ['allow', 'clear'],
    ['prefer', 'tls'],
    ['require', 'tls'],
  ])('sslmode=%s gives %s at a server that allows TLS and plaintext', async (mode, expected) => {
    expect(await tryUrl(server.url({ query: `sslmode=${mode}` }))).toBe(expected);
  });

  it.each([
    ['disable', 'clear'],
    ['allow', 'clear'],
    ['prefer', 'clear'],
    ['require', noTls],
    ['verify-full', noTls],
  ])('sslmode=%s at a server without TLS gives %s', async (mode, expected) => {
    expect(await tryUrl(plain.url({ query: `sslmode=${mode}` }))).toMatch(expected);
  });

  it.each([
    ['', 'tls'],
    ['sslmode=allow', 'tls'],
    ['sslmode=prefer', 'tls'],
    ['sslmode=disable', /no pg_hba.conf entry/],
  ])('the query %j at a server that requires TLS gives %s', async (query, expected) => {
    const url = server.url({ query }).replace('super@', 'tls_only@');
    expect(await tryUrl(url)).toMatch(expected);
  });

  it('sslmode=require accepts any certificate, with sslrootcert only its authority’s', async () => {
    expect(await tryUrl(stranger.url({ query: 'sslmode=require' }))).toBe('tls');
    const ca = `sslmode=require&sslrootcert=${authority.cert}`;
    expect(await tryUrl(server.url({ query: ca }))).toBe('tls');
    expect(await tryUrl(stranger.url({ query: ca }))).toMatch(untrusted);
  });

  it('sslmode=verify-ca requires a certificate of its authority, for any host', async () => {
    const query = (cert: string) => ({ query: `sslmode=verify-ca&sslrootcert=${cert}` });
    expect(await tryUrl(server.url(query(authority.cert)))).toBe('tls');
    expect(await tryUrl(stranger.url(query(strangerCa)))).toBe('tls');
    expect(await tryUrl(server.url(query(strangerCa)))).toMatch(untrusted);
  });

  it('sslmode=verify-full requires a certificate of its authority for that host', async () => {
    const query = (cert: string) => ({ query: `sslmode=verify-full&sslrootcert=${cert}` });
    expect(await tryUrl(server.url(query(authority.cert)))).toBe('tls');
    const byName = { host: 'localhost', ...query(authority.cert) };
    expect(await tryUrl(server.url(byName))).toBe('tls');
    expect(await tryUrl(stranger.url(query(strangerCa)))).toMatch(/altnames|cert's CN/i);
    expect(await tryUrl(server.url(query(strangerCa)))).toMatch(untrusted);
  });

  it('sslmode=verify-full without an own authority refuses a private certificate', async () => {
    expect(await tryUrl(server.url({ query: 'sslmode=verify-full' }))).toMatch(untrusted);
    expect(await tryUrl(server.url({ query: 'sslrootcert=system' }))).toMatch(untrusted);
  });

  it('sslcert and sslkey authenticate a role by its client certificate', async () => {
    const { cert, key } = authority.issue('with_cert');
    const query = `sslmode=verify-full&sslrootcert=${authority.cert}`;
    const url = (more: string) =>
      server.url({ query: query + more }).replace('super@', 'with_cert@');
    expect(await tryUrl(url(`&sslcert=${cert}&sslkey=${key}`))).toBe('tls');
    expect(await tryUrl(url(''))).toMatch(/certificate/);
  });

  it('a refused server certificate is a transient error, and nothing was done', async () => {
    const url = server.url({ query: `sslmode=verify-full&sslrootcert=${strangerCa}` });
    const db = createDb({ url, name: 'test', maxConnections: 1, log: createLog('silent') });
    let isBegun = false;
    const work = db.tx((tx) => ((isBegun = true), tx.query(sslSql)));
    const err: unknown = await work.catch((e: unknown) => e);
    await db.close();
    expect(classifyDbError(err)).toBe('transient');
    expect(isCommitInDoubt(err)).toBe(false);
    expect(isBegun).toBe(false);
  });

  it('a sslrootcert file that is missing or holds no PEM is named by its parameter', async () => {
    const missing = server.url({ query: `sslmode=require&sslrootcert=${folder}/none` });
    expect(await tryUrl(missing)).toMatch(/sslrootcert .*ENOENT/);
    await writeFile(join(folder, 'text'), 'no certificate');
    const text = server.url({ query: `sslmode=require&sslrootcert=${folder}/text` });
    expect(await tryUrl(text)).toMatch(/sslrootcert .*holds no PEM/);
  });
});
