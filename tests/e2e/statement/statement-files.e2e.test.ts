import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { run } from '../../../scripts/product.ts';
import { openRoad } from '../../support/grpc/road.ts';
import { createWorld, expectCode, signInAs } from '../../support/processes/world.ts';
import type { Person, World } from '../../support/processes/world.ts';
import { connectClient } from '../../support/postgres/client.ts';

const wallet = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const rowCount = 3_000;

type ExportJson = { id: string; status: string; rows: number; sha256: string; file?: string };
type Line = { seq: number; transactionId: string; balance: string };
type Shown = { statement: { closing: string; lines: Line[] }; nextPageToken?: string };

let world: World;
let ana: Person;
let out: string;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  out = join(world.folder, 'out');
  await mkdir(out);
  const rows = Array.from({ length: rowCount }, (_, i) =>
    i % 3 < 2 ? `deposit,10.00,"row; ${i}, ""é"""` : `withdraw,5.00,=1+${i}`,
  );
  const file = join(out, 'rows.csv');
  await writeFile(file, ['operation,amount,description', ...rows, ''].join('\n'));
  expectCode(await ana.run(['batch', 'run', file, '--batch-id', 'fill', '--yes']), 0);
});

afterAll(() => world.dispose());

const sha256Of = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** Everything up to now, as a range that is over: the same again whenever it is asked for. */
const closedRange = (): string[] => {
  const to = new Date(Date.now() - 1).toISOString().replace(/\.\d+Z$/, 'Z');
  return ['--from', '2025-01-01', '--to', to];
};

const exportTo = async (name: string, args: readonly string[]): Promise<string> => {
  const file = join(out, name);
  const made = await ana.json<ExportJson>(['statement', 'export', ...args, '--file', file]);
  expect(made).toMatchObject({ status: 'done', file, sha256: await sha256Of(file) });
  expect(existsSync(`${file}.partial`)).toBe(false);
  return file;
};

describe('statement show', () => {
  it('statement show answers 15 days and queues 16, also across a clock change', async () => {
    const range = ['--from', '2025-10-20', '--timezone', 'Europe/Lisbon', '--json'];
    const inline = await ana.run(['statement', 'show', ...range, '--to', '2025-11-03']);
    expectCode(inline, 0);
    expect(JSON.parse(inline.stdout)).toMatchObject({
      status: 'complete',
      statement: { from: '2025-10-20T00:00:00.000+01:00', to: '2025-11-04T00:00:00.000+00:00' },
    });
    const queued = await ana.run(['statement', 'show', ...range, '--to', '2025-11-04']);
    expectCode(queued, 10);
    const { export: made } = JSON.parse(queued.stdout) as { export: ExportJson };
    expect(queued.stderr).toContain(`wallet exports download ${made.id} --wait`);
    const waited = await ana.json<ExportJson>(['exports', 'wait', made.id]);
    expect(waited).toMatchObject({ id: made.id, status: 'done', rows: 0 });
  });

  it('statement show pages in both directions, and filters by operation', async () => {
    const whole = await ana.json<Shown>(['statement', 'show']);
    const ids = whole.statement.lines.map(({ seq }) => seq);
    expect(ids).toEqual(Array.from({ length: rowCount }, (_, i) => i + 1));
    const reverse = ['statement', 'show', '--reverse', '--limit', '1700'];
    const first = await ana.json<Shown>(reverse);
    const rest = await ana.json<Shown>([...reverse, '--page-token', first.nextPageToken!]);
    expect(rest.nextPageToken).toBeUndefined();
    const back = [...first.statement.lines, ...rest.statement.lines].map(({ seq }) => seq);
    expect(back).toEqual(ids.toReversed());
    const taken = await ana.json<Shown>(['statement', 'show', '--operation', 'withdraw']);
    expect(taken.statement.lines).toHaveLength(rowCount / 3);
  });

  it('the journal of statement show is accepted by hledger and ledger', async () => {
    const shown = await ana.run(['statement', 'show', '-o', 'hledger']);
    expectCode(shown, 0);
    checkJournal(shown.stdout);
    expectCode(await ana.run(['statement', 'show', '-o', 'hledger', '--reverse']), 2);
    expectCode(await ana.run(['balance', '-o', 'hledger']), 2);
  });
});

function checkJournal(journal: string): void {
  const run = (program: string, args: readonly string[]): string => {
    const env = { LANG: 'C.UTF-8', PATH: process.env['PATH'] ?? '' };
    return execFileSync(program, [...args], { input: journal, encoding: 'utf8', env });
  };
  run('hledger', ['-f', '-', 'check']);
  const rows = run('hledger', ['-f', '-', 'register', 'assets:wallets', '-O', 'csv']);
  expect(rows.trim().split('\n')).toHaveLength(rowCount + 1);
  expect(run('ledger', ['-f', '-', 'bal', 'assets:wallets'])).toMatch(/15000\.00 BRL/);
}

describe('statement export', () => {
  it('statement export has every line in each format', async () => {
    const range = closedRange();
    const { statement } = await ana.json<Shown>(['statement', 'show']);
    const ids = statement.lines.map(({ transactionId }) => transactionId);

    const csv = await readFile(await exportTo('a.csv', range), 'utf8');
    const rows: Record<string, string>[] = parse(csv, { columns: true, record_delimiter: '\r\n' });
    expect(rows.map((row) => row['transaction_id'])).toEqual(ids);
    expect(rows[0]?.['description']).toBe('row; 0, "é"');
    expect(rows[2]?.['description']).toBe("'=1+2");
    expect(rows.at(-1)?.['balance']).toBe(statement.closing);

    const brazilian = await exportTo('b.csv', [...range, '--locale', 'pt-BR', '--bom']);
    const text = await readFile(brazilian, 'utf8');
    const linhas: Record<string, string>[] = parse(text, {
      ...{ bom: true, columns: true, delimiter: ';', record_delimiter: '\r\n' },
    });
    expect(text.startsWith('\ufeffdata;')).toBe(true);
    expect(linhas.map((row) => row['id_da_transação'])).toEqual(ids);
    expect([linhas[0]?.['operação'], linhas[0]?.['fuso_horário']].join()).toMatch(/^depósito,UTC/);
    expect(linhas.at(-1)?.['saldo']).toBe(statement.closing.replace('.', ','));

    const whole = JSON.parse(await readFile(await exportTo('a.json', range), 'utf8')) as Shown;
    expect(whole.statement.lines).toEqual(statement.lines);

    const ndjson = await readFile(await exportTo('a.ndjson', range), 'utf8');
    const objects = ndjson.trimEnd().split('\n');
    expect(objects.map((line) => (JSON.parse(line) as Line).transactionId)).toEqual(ids);

    checkJournal(await readFile(await exportTo('a.journal', range), 'utf8'));
  });

  it('statement export writes the same bytes to stdout as to a file', async () => {
    const range = closedRange();
    const file = await exportTo('stdout.csv', range);
    const printed = await ana.run(['statement', 'export', ...range, '--file', '-', '--quiet']);
    expectCode(printed, 0);
    expect(printed.stderr).toBe('');
    expect(createHash('sha256').update(printed.stdout).digest('hex')).toBe(await sha256Of(file));
  });

  it('statement export overwrites no file without confirmation', async () => {
    const file = join(out, 'kept.csv');
    await writeFile(file, 'mine');
    const args = ['statement', 'export', ...closedRange(), '--file', file];
    expectCode(await ana.run(args), 2);
    expect(await readFile(file, 'utf8')).toBe('mine');
    expectCode(await ana.run([...args, '--yes']), 0);
    expect(await readFile(file, 'utf8')).toContain('transaction_id');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('one idempotency key makes one export, and a dry run makes none', async () => {
    const args = ['statement', 'export', ...closedRange()];
    const count = async () =>
      (await ana.json<{ items: unknown[] }>(['exports', 'list', '--all'])).items.length;
    const before = await count();
    const dry = await ana.json([...args, '--dry-run']);
    expect(dry).toMatchObject({ dryRun: true });
    expect(dry).not.toHaveProperty('id');
    expect(await count()).toBe(before);
    const keyed = [...args, '--idempotency-key', 'twice', '--no-wait', '--json'];
    const [one, two] = [await ana.run(keyed), await ana.run(keyed)];
    expectCode(one, 10);
    expectCode(two, 10);
    const idOf = ({ stdout }: { stdout: string }) => (JSON.parse(stdout) as ExportJson).id;
    expect(idOf(one)).toBe(idOf(two));
    expect(await count()).toBe(before + 1);
    const other = [...args, '--idempotency-key', 'twice', '--format', 'json'];
    expectCode(await ana.run(other), 6);
  });

  it('an export of another user is not found', async () => {
    const bia = await world.customer('bia');
    const made = await ana.json<{ items: ExportJson[] }>(['exports', 'list', '--limit', '1']);
    const { id } = made.items[0]!;
    for (const verb of ['show', 'wait', 'download']) {
      expectCode(await bia.run(['exports', verb, id]), 5);
    }
  });
});

describe('downloads', () => {
  it('a download resumes after a kill, and by itself after a lost connection', async () => {
    const road = await openRoad(() => world.daemon().address);
    const server = () => ({ WALLET_SERVER: road.address });
    const env = await world.homeOf('ana-elsewhere');
    const there = await signInAs(ana.email, env, server);
    const file = join(out, 'killed.json');
    const range = closedRange();
    const asked = ['statement', 'export', ...range, '--format', 'json', '--no-wait', '--json'];
    const { id } = JSON.parse((await there.run(asked)).stdout) as ExportJson;
    await there.json(['exports', 'wait', id]);

    road.trouble = { kind: 'block', afterBytes: 300_000 };
    const args = ['exports', 'download', id, '--file', file];
    const child = spawn(process.execPath, [wallet, ...args], { env: { ...env, ...server() } });
    const partial = `${file}.partial`;
    const sizeOf = (): number => (existsSync(partial) ? statSync(partial).size : 0);
    await waitUntil('some bytes have come', () => Promise.resolve(sizeOf() > 100_000));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('close', resolve));
    const kept = sizeOf();
    expect(existsSync(file)).toBe(false);
    road.trouble = undefined;
    const resumed = await there.run([...args, '--verbose']);
    expectCode(resumed, 0);
    expect(resumed.stderr).toContain(`resuming after ${kept} bytes`);

    road.trouble = { kind: 'cut', afterBytes: 200_000 };
    const cut = join(out, 'cut.json');
    expectCode(await there.run(['exports', 'download', id, '--file', cut]), 0);
    expect(road.cuts).toBeGreaterThan(1);
    expect(await sha256Of(cut)).toBe(await sha256Of(file));
    road.trouble = undefined;

    // What an earlier run left of something else is noticed.
    const other = join(out, 'other.json');
    await writeFile(`${other}.partial`, 'x'.repeat(1_000));
    expectCode(await there.run(['exports', 'download', id, '--file', other]), 0);
    expect(await sha256Of(other)).toBe(await sha256Of(file));
    road.close();
  });

  it('a download to a full disk reports it, and resumes where it stopped', async () => {
    const range = closedRange();
    const asked = ['statement', 'export', ...range, '--no-wait', '--json'];
    const { id } = JSON.parse((await ana.run(asked)).stdout) as ExportJson;
    await ana.json(['exports', 'wait', id]);
    const file = join(out, 'full disk.csv');
    const env = { ...ana.env, WALLET_SERVER: world.daemon().address };
    // A limit on files fails like a full disk: in the middle of a write.
    const limited = `trap '' XFSZ; ulimit -f 64; exec "$0" "$@"`;
    const args = [wallet, 'exports', 'download', id, '--file', file];
    const full = await run('bash', ['-c', limited, process.execPath, ...args], { env });
    expectCode(full, 1);
    expect(full.stderr).toContain(`cannot write ${file}: EFBIG`);
    expect(full.stderr).toContain(`wallet exports download ${id} --file '${file}'`);
    expect(existsSync(file)).toBe(false);
    const kept = statSync(`${file}.partial`).size;
    expect(kept).toBe(65_536);
    const resumed = await ana.run(['exports', 'download', id, '--file', file, '--verbose']);
    expectCode(resumed, 0);
    expect(resumed.stderr).toContain(`resuming after ${kept} bytes`);
    expect(await sha256Of(file)).toBe((await ana.json<ExportJson>(['exports', 'show', id])).sha256);
  });
});

describe('Ctrl-C while waiting for an export', () => {
  it('Ctrl-C while waiting for an export ends with 130, and the server continues', async () => {
    const client = await connectClient((await readUrls(world.dataDir)).owner('statement'));
    // No chunk can be written as long as this transaction is open.
    await client.query('BEGIN');
    await client.query('LOCK TABLE export_chunks IN EXCLUSIVE MODE');
    const file = join(out, 'interrupted.csv');
    const args = ['statement', 'export', ...closedRange(), '--file', file];
    const env = { ...ana.env, WALLET_SERVER: world.daemon().address };
    let pid = 0;
    const running = run(process.execPath, [wallet, ...args], { env, onStart: (of) => (pid = of) });
    let id = '';
    await waitUntil('it is being written', async () => {
      const text = "SELECT id FROM exports WHERE status = 'running'";
      id = (await client.query<{ id: string }>(text)).rows[0]?.id ?? '';
      return id !== '';
    });
    process.kill(pid, 'SIGINT');
    const interrupted = await running;
    expectCode(interrupted, 130);
    expect(interrupted.stdout).toBe('');
    expect(interrupted.stderr).toContain(`interrupted; the server keeps export ${id}`);
    expect(interrupted.stderr).toContain(`wallet exports download ${id} --wait`);
    await client.query('ROLLBACK');
    await client.end();
    expectCode(await ana.run(['exports', 'download', id, '--wait', '--file', file]), 0);
    expect(await readFile(file, 'utf8')).toContain('transaction_id');
  });
});
