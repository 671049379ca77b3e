import {
  keyIdOf,
  leafOf,
  parseCheckpoint,
  readPublicKey,
  verifyCheckpoint,
} from '../checkpoint.ts';
import { rootOfPath } from '../merkle.ts';
import { faultOf, type ProofFault, type ProofLeaf, type SignedCheckpoint } from './types.ts';

/** The checkpoint that a proof ends in, with a valid signature by the key that the proof names. */
export type Seal = {
  readonly keyId: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
  readonly timeMs: number;
  /** How many wallets it covers. */
  readonly walletCount: bigint;
  /** 64 hex digits. */
  readonly rootHash: string;
};

type Checked =
  { readonly ok: true; readonly value: Seal } | { readonly ok: false; readonly fault: ProofFault };

/** The leaf of a wallet must lead to the root that was signed. Whose the key is, it cannot say. */
export function checkSeal(walletId: string, leaf: ProofLeaf, signed: SignedCheckpoint): Checked {
  const fail = (field: string, message: string): Checked => ({
    ok: false,
    fault: faultOf('the checkpoint of the proof', field, message),
  });
  const checkpoint = parseCheckpoint(signed.text);
  if (!checkpoint) return fail('text', 'is not that of a checkpoint');
  const key = readPublicKey(signed.publicKey);
  if (!key) return fail('publicKey', 'is no Ed25519 key in PEM');
  const publicKey = key.export({ type: 'spki', format: 'pem' }).toString();
  // A proof has one text: also a PEM that other programs accept is refused.
  if (publicKey !== signed.publicKey) return fail('publicKey', 'is not written as SPKI in PEM is');
  const keyId = keyIdOf(key);
  if (keyId !== checkpoint.keyId) return fail('publicKey', `is not the key ${checkpoint.keyId}`);
  if (!verifyCheckpoint(signed.text, signed.signature, key)) {
    return fail('signature', 'is not valid');
  }
  const hash = leafOf(walletId, leaf.seq, leaf.hash);
  const path = leaf.path.map((one) => Buffer.from(one, 'hex'));
  const root = rootOfPath(hash, leaf.index, checkpoint.size, path)?.toString('hex');
  if (root !== checkpoint.root) {
    return fail('root', 'is not the one that the leaf and its path lead to');
  }
  const { timeMs, size: walletCount } = checkpoint;
  return { ok: true, value: { keyId, publicKey, timeMs, walletCount, rootHash: root } };
}
