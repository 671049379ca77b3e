import { quoteForShell } from '../../../../core/shell-word.ts';
import type { ProvedClaim } from '../../../../core/statement-proof/index.ts';
import type { Export } from '../../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../../context.ts';
import { openOwnFile, publishFile, type FileIdentity } from '../../../files/files.ts';
import {
  fail,
  failUsage,
  succeed,
  type CliFailure,
  type Failed,
  type Outcome,
} from '../../../outcome.ts';
import { checkTarget, stdoutName, type Target } from '../../exports/save.ts';
import { createProgress } from '../../shared/progress.ts';
import { fetchProof, type ProofWish } from './fetch.ts';
import { proofPathOf, verifyFiles } from './files.ts';
import { rememberKey } from './known-keys.ts';

/** Options of the commands that save a statement's file. */
export type ProofOptions = { readonly proof?: boolean; readonly hideNeighbours?: boolean };

export const hideNeighboursOption = [
  '--hide-neighbours',
  'show the proof no entry before or after the period; its ends are not proved then',
] as const;

/** Whether a proof is wanted; `file` is where the statement goes, if that is given. */
export function readProofWish(
  { proof: isWanted = false, hideNeighbours: hidesNeighbours = false }: ProofOptions,
  file: string | undefined,
): Outcome<ProofWish | undefined> {
  if (hidesNeighbours && !isWanted) {
    return failUsage('hide-neighbours', '--hide-neighbours is for --proof only');
  }
  if (isWanted && file === stdoutName) {
    return failUsage('proof', 'a proof is written beside a file: name one with --file');
  }
  return succeed(isWanted ? { hidesNeighbours } : undefined);
}

/** Where a file may be written, and its proof. */
export type Targets = { readonly file: Target; readonly proof: Target | undefined };

/** Leave to write both, asked before anything is requested. */
export async function checkTargets(
  context: Context,
  path: string,
  wish: ProofWish | undefined,
): Promise<Outcome<Targets>> {
  const file = await checkTarget(context, path);
  if (!file.ok) return file;
  const proof = wish ? await checkTarget(context, proofPathOf(path)) : succeed(undefined);
  return proof.ok ? succeed({ file: file.value, proof: proof.value }) : proof;
}

/**
 * Fetches the proof of a file that was saved, checks the file against it, and then gives it its
 * place beside the file. The server's key is kept. Answers the path.
 */
export async function saveProof(
  context: Context,
  saved: { readonly made: Export; readonly file: string },
  target: Target | undefined,
  wish: ProofWish,
): Promise<Outcome<string>> {
  const { made, file } = saved;
  const path = proofPathOf(file);
  const again = `wallet exports download ${made.id} --file ${quoteForShell(file)} --proof --yes`;
  try {
    const fetched = await fetchInto(context, saved, `${path}.partial`, wish);
    if (!fetched.ok) return addCommand(fetched.failure, again);
    const { identity, claim } = fetched.value;
    const partial = { file: identity, partial: `${path}.partial` };
    if (!(await publishFile(partial, path, target?.replaced))) {
      return fail('CONFIRMATION_REQUIRED', `${path} exists, and is overwritten only with --yes`, {
        field: 'proof',
      });
    }
    const { keyId: id, publicKey } = claim.seal;
    const kept = await rememberKey(context, { id, publicKey });
    return kept.ok ? succeed(path) : kept;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    const hint = `fix the cause, then: ${again}`;
    return fail('OUTPUT_FAILED', `cannot write ${path}: ${message}`, { hint });
  }
}

/** The file was saved: only its proof is missing. */
const addCommand = (failure: CliFailure, again: string): Failed => {
  if (failure.reason === 'STATEMENT_MISMATCH') return { ok: false, failure };
  const why = failure.hint === undefined ? '' : `${failure.hint}; `;
  const hint = `${why}the file is saved; to get its proof: ${again}`;
  return { ok: false, failure: { ...failure, hint } };
};

async function fetchInto(
  context: Context,
  { made, file }: { readonly made: Export; readonly file: string },
  partial: string,
  wish: ProofWish,
): Promise<Outcome<{ identity: FileIdentity; claim: ProvedClaim }>> {
  const opened = await openOwnFile(partial, 'proof');
  if (!opened.ok) return opened;
  const handle = opened.value.file;
  let identity: FileIdentity;
  const progress = createProgress(context);
  try {
    await handle.truncate(0);
    identity = await handle.stat();
    const written = await fetchProof(context, made, wish, { handle, progress });
    if (!written.ok) return written;
    await handle.sync();
  } finally {
    await progress.clear();
    await handle.close();
  }
  const verified = await verifyFiles(file, partial);
  if (!verified.ok) return verified;
  const verdict = verified.value;
  if (verdict.ok) return succeed({ identity, claim: verdict.value });
  const { where, field, message } = verdict.fault;
  const found = `the file does not match its proof: ${where}: ${field} ${message}`;
  return fail('STATEMENT_MISMATCH', found, {
    hint: "do not rely on it; ask the server's operator to verify the ledger: wallet audit verify",
  });
}
