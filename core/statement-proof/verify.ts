import { createHash } from 'node:crypto';

import { createStatementWriter, type StatementHead } from '../statement-format/index.ts';
import { startChainCheck, type ProvedLines } from './chain-check.ts';
import { checkSeal, type Seal } from './seal-check.ts';
import { createFileCheck, type FileSource } from './file-check.ts';
import { splitProofLines } from './proof-lines.ts';
import { createProofReader } from './proof-text.ts';
import {
  faultOf,
  type ChainStart,
  type ProofEntry,
  type ProofFault,
  type ProofLeaf,
  type ProofPart,
  type ProvedFile,
  type ProvedStatement,
  type SignedCheckpoint,
} from './types.ts';

/** Known of every statement that can be checked. In minor units. */
type Balances = { readonly openingMinor: bigint; readonly closingMinor: bigint };

/** What a proof proves of its statement, once it has been checked. */
export type ProvedClaim = {
  readonly file: ProvedFile;
  readonly statement: ProvedStatement;
  readonly lines: ProvedLines & Balances;
  readonly leaf: ProofLeaf;
  readonly seal: Seal;
  /** No entry before or after the lines is in the period. */
  readonly isPeriodProved: boolean;
};

type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: ProofFault };

const fail = (fault: ProofFault): { readonly ok: false; readonly fault: ProofFault } => ({
  ok: false,
  fault,
});

/** The bytes of a proof from its beginning. */
export type ProofSource = () => AsyncIterable<Buffer>;

/**
 * Checks a statement's file against its proof, without a server: the chain over the lines, the
 * leaf in the tree of the checkpoint, the signature by the key in the proof, and each byte of the
 * file. Whose the key is, is left to the caller. The proof is read twice; memory is constant. The
 * entries of holds and releases are checked also where the file does not show them.
 */
export async function verifyStatement(
  proof: ProofSource,
  file: FileSource,
): Promise<Checked<ProvedClaim>> {
  const check = startProofCheck();
  const read = await readProof(proof(), (part) => check.part(part));
  if (!read.ok) return read;
  const claim = check.end();
  if (!claim.ok) return claim;
  const comparison = startComparison(claim.value, file);
  const again = await readProof(proof(), (part) => comparison.part(part));
  if (!again.ok) return again;
  if (again.value !== read.value) {
    return fail(faultOf('the proof', 'proof', 'was changed while it was read'));
  }
  const rest = await comparison.end();
  return rest ? fail(rest) : claim;
}

type OnPart = (part: ProofPart) => ProofFault | undefined | Promise<ProofFault | undefined>;

/** Hands out each part of a proof; gives the SHA-256 of its bytes. */
async function readProof(chunks: AsyncIterable<Buffer>, onPart: OnPart): Promise<Checked<string>> {
  const reader = createProofReader();
  const hash = createHash('sha256');
  for await (const { lines, fault } of splitProofLines(
    tee(chunks, (chunk) => hash.update(chunk)),
  )) {
    for (const line of lines) {
      const read = reader.add(line);
      if (!read.ok) return read;
      const found = read.part && (await onPart(read.part));
      if (found) return fail(found);
    }
    if (fault) return fail(fault);
  }
  const missing = reader.end();
  return missing ? fail(missing) : { ok: true, value: hash.digest('hex') };
}

async function* tee(
  chunks: AsyncIterable<Buffer>,
  onChunk: (chunk: Buffer) => unknown,
): AsyncGenerator<Buffer, void> {
  for await (const chunk of chunks) {
    onChunk(chunk);
    yield chunk;
  }
}

/** Everything but the file: parts come in the order of a proof, and `end` when all have come. */
function startProofCheck() {
  let file: ProvedFile | undefined;
  let statement: ProvedStatement | undefined;
  let start: ChainStart | undefined;
  let chain: ReturnType<typeof startChainCheck> | undefined;
  let leaf: ProofLeaf | undefined;
  let checkpoint: SignedCheckpoint | undefined;
  const part = (next: ProofPart): ProofFault | undefined => {
    switch (next.kind) {
      case 'file':
        file = next.file;
        return undefined;
      case 'statement':
        statement = next.statement;
        return undefined;
      case 'start':
        start = next.start;
        chain = statement && startChainCheck(statement, start);
        return chain?.begin();
      case 'before':
      case 'line':
      case 'after':
        return chain?.entry(next.kind, next.entry);
      case 'digest':
        chain?.digest(next.digest);
        return undefined;
      case 'leaf':
        leaf = next.leaf;
        return chain?.end(leaf);
      case 'checkpoint':
        checkpoint = next.checkpoint;
        return undefined;
    }
  };
  const end = (): Checked<ProvedClaim> => {
    if (!file || !statement || !chain || !leaf || !checkpoint) {
      return fail(faultOf('the proof', 'proof', 'is not whole'));
    }
    const sealed = checkSeal(statement.walletId, leaf, checkpoint);
    if (!sealed.ok) return sealed;
    const seal = sealed.value;
    const result = chain.result();
    const { openingMinor, closingMinor } = result;
    if (openingMinor === undefined || closingMinor === undefined) return fail(noBalance);
    const lines = { ...result, openingMinor, closingMinor };
    const isEndProved =
      lines.next === 'shown' || (lines.next === 'nothing' && seal.timeMs >= statement.toMs);
    const isPeriodProved = lines.isStartProved && isEndProved;
    return { ok: true, value: { file, statement, lines, leaf, seal, isPeriodProved } };
  };
  return { part, end };
}

const noBalance = faultOf(
  'the proof',
  'entryBefore',
  'is needed for the balance of a statement without lines',
);

/** Writes the file again from the lines of the proof, and compares. */
function startComparison({ file, statement, lines }: ProvedClaim, source: FileSource) {
  const { heldClosingMinor, ...balances } = lines;
  const { hasHolds, format } = file;
  const isShown = hasHolds && format !== 'hledger';
  const head: StatementHead = {
    ...statement,
    ...balances,
    heldClosingMinor: hasHolds ? heldClosingMinor : undefined,
  };
  const writer = createStatementWriter(file.format, head, file);
  const check = createFileCheck(source, file.format);
  const toFileLine = ({ more, ...entry }: ProofEntry) => ({
    ...{ ...entry, transactionId: entry.id },
    ...{ heldMinor: more?.heldMinor, heldAfterMinor: more?.heldAfterMinor },
  });
  return {
    part: async (part: ProofPart): Promise<ProofFault | undefined> => {
      if (part.kind === 'start') return check.begin(writer.begin());
      if (part.kind !== 'line') return undefined;
      if (part.entry.amountMinor === 0n && !isShown) return undefined;
      const line = toFileLine(part.entry);
      return check.line(writer.line(line), line);
    },
    end: (): Promise<ProofFault | undefined> => check.end(writer.end()),
  };
}
