import { expect, test } from 'vitest';

import { isLeftOutOfCluster, isLeftOutOfDataDir } from './tree.ts';

test.each([
  'postmaster.pid',
  'postmaster.opts',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'postgresql.auto.conf.tmp',
  'pg_wal/000000010000000000000001',
  'pg_wal/archive_status',
  'pg_replslot/a',
  'pg_stat_tmp/x',
  'base/5/pg_internal.init.123',
  'base/pgsql_tmp',
  'base/5/pgsql_tmp1.2',
])('%s in the cluster is not backed up', (at) => {
  expect(isLeftOutOfCluster(at)).toBe(true);
});

test.each([
  'PG_VERSION',
  'postgresql.conf',
  'postgresql.auto.conf',
  'pg_hba.conf',
  'pg_wal',
  'pg_replslot',
  'global/pg_control',
  'global/pg_filenode.map',
  'base/5/1259_fsm',
  'base/5/16384_init',
  'pg_xact/0000',
  'pg_multixact/offsets/0000',
  'pg_stat/pgstat.stat',
])('%s in the cluster is backed up', (at) => {
  expect(isLeftOutOfCluster(at)).toBe(false);
});

test('secrets and keys of the data folder are backed up; logs, locks and programs are not', () => {
  const names = ['embedded.json', 'signing-key.pem', 'checkpoint-key.pem'];
  expect(names.filter(isLeftOutOfDataDir)).toEqual([]);
  const others = [
    ...['postgres', 'postgres.log', 'postgres.log.1', 'postgres.init-0a1b', 'bin-18.1.0'],
    ...['walletd.lock', 'walletd.lock.tmp-1', '.embedded.json.0a.tmp', 'lost+found'],
    ...['signing-key.pem.0123456789ab', 'restore.tmp-0a1b'],
  ];
  expect(others.filter((name) => !isLeftOutOfDataDir(name))).toEqual([]);
});
