import type { KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

import {
  keyIdOf,
  readPublicKey,
  verifyCheckpoint,
  type Checkpoint,
} from '../../../core/checkpoint.ts';
import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import { fail, succeed, type Outcome } from '../../fault.ts';
import type { Db } from '../../platform/db/db.ts';
import {
  checkpointStore,
  compareCheckpoint,
  isExportFault,
  readExport,
  type ExportedCheckpoint,
} from '../../wallet/index.ts';

export type AgainstRequest = {
  /** An exported checkpoint. */
  readonly file: string;
  /** The public key (PEM); without it, the database's own record of the key is used. */
  readonly keyFile: string | undefined;
  /** Of this wallet only. */
  readonly walletId: string | undefined;
};

/** An export whose signature, size and root are valid. */
type ValidExport = { readonly checkpoint: Checkpoint; readonly text: string };

/**
 * Reads an export to its end before anything is compared with it: what was forged is refused, and
 * names no wallet.
 */
export async function checkExport(
  db: Db,
  { file, keyFile }: AgainstRequest,
): Promise<Outcome<ValidExport>> {
  const opened = await openExport(file);
  if (!opened.ok) return opened;
  const { checkpoint, text, signature, leaves } = opened.value;
  const key = await findKey(db, checkpoint.keyId, keyFile);
  if (!key.ok) return key;
  if (!verifyCheckpoint(text, signature, key.value)) {
    return fail(`${file}: the signature of the checkpoint is not valid`, useGenuine);
  }
  const last = await db.read((tx) => checkpointStore.findLast(tx));
  if (last && last.origin !== checkpoint.origin) {
    return fail(
      `${file}: the checkpoint is of another installation (${checkpoint.origin}, not ${last.origin})`,
      'name an export of this one; `walletd checkpoint list` shows its checkpoints',
    );
  }
  const read = await readAll(file, leaves);
  return read.ok ? succeed({ checkpoint, text }) : read;
}

const useGenuine = 'use the file as `walletd checkpoint export` wrote it';

/**
 * Compares the ledger with an export that was checked, in pages and in constant memory. Answers how
 * many wallets were compared: none if the checkpoint does not have the one that was asked for.
 */
export async function compareWith(
  db: Db,
  { file, walletId }: AgainstRequest,
  { text }: ValidExport,
  report: (findings: readonly LedgerFinding[]) => void,
  signal: AbortSignal,
): Promise<Outcome<number>> {
  const opened = await openExport(file);
  if (!opened.ok) return opened;
  if (opened.value.text !== text) return fail(`${file} was changed meanwhile`, useGenuine);
  const { leaves } = opened.value;
  let compared = 0;
  try {
    for await (const { wallets, findings } of compareCheckpoint(db, select(leaves, walletId))) {
      signal.throwIfAborted();
      compared += wallets;
      report(findings.map(({ wallet, ...rest }) => ({ walletId: wallet, ...rest })));
    }
    return succeed(compared);
  } catch (err) {
    return explainExport(file, err);
  }
}

type Leaves = ExportedCheckpoint['leaves'];

async function* select(leaves: Leaves, walletId: string | undefined): Leaves {
  for await (const page of leaves) {
    yield walletId === undefined ? page : page.filter((leaf) => leaf.walletId === walletId);
  }
}

async function openExport(file: string): Promise<Outcome<ExportedCheckpoint>> {
  try {
    const read = await readExport(createReadStream(file));
    return read.ok ? succeed(read.value) : fail(`${file}: ${read.rejection.message}`, useGenuine);
  } catch (err) {
    return explainExport(file, err);
  }
}

async function readAll(file: string, leaves: Leaves): Promise<Outcome<number>> {
  let wallets = 0;
  try {
    for await (const page of leaves) wallets += page.length;
    return succeed(wallets);
  } catch (err) {
    return explainExport(file, err);
  }
}

function explainExport(file: string, err: unknown) {
  if (isExportFault(err)) return fail(`${file}: ${err.message}`, useGenuine);
  // A directory is opened, and cannot be read: that error has no path.
  const isDirectory = err instanceof Error && 'code' in err && err.code === 'EISDIR';
  const isOfFile = err instanceof Error && ('path' in err || isDirectory);
  if (!isOfFile) throw err;
  return fail(`--against: ${err.message}`, 'name an exported checkpoint that can be read');
}

/** The key that signed, from the file or from the database's own record. */
async function findKey(
  db: Db,
  keyId: string,
  keyFile: string | undefined,
): Promise<Outcome<KeyObject>> {
  const hint = '`walletd checkpoint key` prints the public key where the checkpoints are signed';
  if (keyFile === undefined) {
    const kept = await db.read((tx) => checkpointStore.findKey(tx, keyId));
    const key = kept === undefined ? undefined : readPublicKey(kept);
    if (key && keyIdOf(key) === keyId) return succeed(key);
    return fail(`the database has no key ${keyId}: name it with --key FILE`, hint);
  }
  const keys = listKeys(await readFile(keyFile, 'utf8').catch(String));
  if (keys.length === 0) {
    return fail(`--key: ${keyFile} has no Ed25519 key (PEM) that can be read`, hint);
  }
  const key = keys.find((one) => keyIdOf(one) === keyId);
  if (key) return succeed(key);
  const ids = keys.map(keyIdOf).join(', ');
  return fail(`--key: ${keyFile} is the key ${ids}, and ${keyId} has signed`, hint);
}

/** A file may have several: those of before a change of keys, too. */
const listKeys = (text: string): KeyObject[] =>
  (text.match(/-----BEGIN [A-Z ]+-----[^-]*-----END [A-Z ]+-----/g) ?? []).flatMap(
    (pem) => readPublicKey(pem) ?? [],
  );
