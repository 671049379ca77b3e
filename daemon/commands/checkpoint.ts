import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';

import type { Command } from 'commander';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { readCheckpointKey } from '../config/secrets.ts';
import type { Outcome } from '../fault.ts';
import type { Db } from '../platform/db/db.ts';
import {
  checkpointStore,
  exportCheckpoint,
  formatSigned,
  takeCheckpoint,
} from '../wallet/index.ts';
import { addExamples, addGroup, usageExitCode, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine, writeStdout } from './print.ts';
import { withDatabase } from './service-database.ts';

const examples = [
  'walletd checkpoint',
  'walletd checkpoint list',
  'walletd checkpoint export 12 --out checkpoint-12.txt',
  'walletd checkpoint key > checkpoint-key.pub',
];
const listed = 100;
const afterAll = 2n ** 63n - 1n;

/** Adds `walletd checkpoint`: `take` (the default), `list`, `show`, `export`, `key`. */
export function addCheckpointCommands(program: Command, { withConfig }: CommandLine): void {
  const group = addGroup(program, 'checkpoint', 'signed checkpoints of the ledger', examples);
  const databases = { databases: ['wallet'] } as const;
  const take = group
    .command('take', { isDefault: true })
    .description('take a checkpoint now (what `walletd checkpoint` alone does)')
    .option('--export <file>', 'write it with all wallets to a file that does not exist yet')
    .action(withConfig(runTake, databases));
  addExamples(take, ['walletd checkpoint', 'walletd checkpoint take --export checkpoint.txt']);
  const list = group
    .command('list')
    .description(`the last ${listed} checkpoints, the newest first`)
    .action(withConfig(runList, databases));
  addExamples(list, ['walletd checkpoint list']);
  const show = group
    .command('show')
    .argument('<NUMBER>', 'which one')
    .description('print what was signed, and the signature')
    .action(withConfig(runShow, databases));
  addExamples(show, ['walletd checkpoint show 12']);
  const exported = group
    .command('export')
    .argument('<NUMBER>', 'which one')
    .description(
      'write a checkpoint with the last transaction of every wallet, for `verify --against`',
    )
    .requiredOption('--out <file>', 'a file that does not exist yet')
    .action(withConfig(runExport, databases));
  addExamples(exported, ['walletd checkpoint export 12 --out checkpoint-12.txt']);
  const key = group
    .command('key')
    .description('print the public key, for those who verify')
    .action(withConfig(runKey, databases));
  addExamples(key, ['walletd checkpoint key > checkpoint-key.pub']);
}

async function runTake(run: HostRun, { export: out }: { export?: string }): Promise<number> {
  const taken = await withDatabase('wallet', run, async (db, dataDir) => {
    const key = await readCheckpointKey(run.config, dataDir, { isMade: false });
    if (!key.ok) return refuse('INVALID_ARGUMENT', `${key.fault.fault}; ${key.fault.hint}`);
    if (!key.value) return noKey;
    const checkpoint = await takeCheckpoint(db, key.value, { signal: run.signal });
    run.signal.throwIfAborted();
    if (!checkpoint) return takenElsewhere;
    const written = out === undefined ? undefined : await writeExport(db, checkpoint.number, out);
    return written?.ok === false ? written : succeed(checkpoint);
  });
  if (!taken.ok) return printFault(taken.fault);
  const { number, size } = taken.value;
  printLine(`walletd: checkpoint ${number} taken, of ${size} wallets`);
  return 0;
}

const noKey = refuse(
  'INVALID_ARGUMENT',
  'there is no key to sign with: set CHECKPOINT_KEY_FILE (`openssl genpkey -algorithm ed25519`)',
);
const takenElsewhere = refuse(
  'WALLET_BUSY',
  'a running daemon is taking a checkpoint at the moment: `walletd checkpoint list` shows it',
);

async function runList(run: HostRun): Promise<number> {
  const found = await withDatabase('wallet', run, async (db) =>
    succeed(await db.read((tx) => checkpointStore.listCheckpoints(tx, afterAll, listed))),
  );
  if (!found.ok) return printFault(found.fault);
  for (const { number, takenAtMs, size, root } of found.value) {
    const at = new Date(takenAtMs).toISOString();
    writeStdout(`${number}\t${at}\t${size} wallets\t${root.toString('hex')}\n`);
  }
  if (found.value.length === 0)
    printLine('walletd: no checkpoints yet: `walletd checkpoint` takes one');
  return 0;
}

async function runShow(run: HostRun, text: string): Promise<number> {
  const shown = await withCheckpoint(run, text, async (db, number) => {
    const checkpoint = await db.read((tx) => checkpointStore.findCheckpoint(tx, number));
    return checkpoint ? succeed(formatSigned(checkpoint)) : notThere(number);
  });
  if (!shown) return usageExitCode;
  if (!shown.ok) return printFault(shown.fault);
  writeStdout(shown.value);
  return 0;
}

async function runExport(run: HostRun, text: string, { out }: { out: string }): Promise<number> {
  const written = await withCheckpoint(run, text, (db, number) => writeExport(db, number, out));
  if (!written) return usageExitCode;
  if (!written.ok) return printFault(written.fault);
  printLine(`walletd: written to ${out}; keep it where the server cannot change it`);
  return 0;
}

/** A whole file, or none. One that is there is evidence, and stays. */
async function writeExport(db: Db, number: bigint, out: string): Promise<Result<string>> {
  const parts = await exportCheckpoint(db, number);
  if (!parts) return notThere(number);
  try {
    await pipeline(Readable.from(parts), createWriteStream(out, { flags: 'wx', flush: true }));
    return succeed(out);
  } catch (err) {
    const code = err instanceof Error && 'syscall' in err && 'code' in err ? String(err.code) : '';
    if (code !== 'EEXIST') await rm(out, { force: true });
    if (code === '') throw err;
    const why = code === 'EEXIST' ? 'exists already, and is not overwritten' : code;
    return refuse('INVALID_ARGUMENT', `--out: ${out}: ${why}`, { field: 'out' });
  }
}

const notThere = (number: bigint) =>
  refuse('INVALID_ARGUMENT', `there is no checkpoint ${number}: see \`walletd checkpoint list\``);

/** Undefined if the number is none. */
async function withCheckpoint<T>(
  run: HostRun,
  text: string,
  work: (db: Db, number: bigint) => Promise<Result<T>>,
): Promise<Outcome<T> | undefined> {
  if (!/^[1-9]\d{0,17}$/.test(text)) {
    printLine(
      `walletd: ${text} is not the number of a checkpoint: see \`walletd checkpoint list\``,
    );
    return undefined;
  }
  return withDatabase('wallet', run, (db) => work(db, BigInt(text)));
}

async function runKey(run: HostRun): Promise<number> {
  const read = await withDatabase('wallet', run, async (_db, dataDir) => {
    const key = await readCheckpointKey(run.config, dataDir, { isMade: false });
    if (!key.ok) return refuse('INVALID_ARGUMENT', `${key.fault.fault}; ${key.fault.hint}`);
    return key.value ? succeed(key.value.publicKey) : noKey;
  });
  if (!read.ok) return printFault(read.fault);
  writeStdout(read.value.export({ type: 'spki', format: 'pem' }).toString());
  return 0;
}
