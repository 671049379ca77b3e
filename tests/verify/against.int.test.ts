import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { keyIdOf, signCheckpoint } from '../../core/checkpoint.ts';
import { walletIdOf } from '../../core/ids.ts';
import type { LedgerFinding } from '../../core/ledger-check/index.ts';
import {
  createCheckpointLedger,
  createSigner,
  type CheckpointLedger,
} from '../../daemon/wallet/checkpoints/test-support.ts';
import { checkExport, compareWith } from '../../daemon/commands/verify/against.ts';

let ledger: CheckpointLedger;
let folder: string;
let file: string;
let text: string;
let keyFile: string;
let otherKeyFile: string;

const pemOf = ({ publicKey }: CheckpointLedger['signer']): string =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();

async function write(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

beforeAll(async () => {
  ledger = await createCheckpointLedger();
  folder = await mkdtemp(join(tmpdir(), 'against-'));
  await ledger.take();
  await ledger.deposit(ledger.users[0]!);
  await ledger.take();
  text = await ledger.exportText(2n);
  file = await write('checkpoint.txt', text);
  keyFile = await write('key.pub', pemOf(ledger.signer));
  otherKeyFile = await write('other.pub', pemOf(createSigner()));
});
afterAll(async () => {
  await ledger.test.drop();
  await rm(folder, { recursive: true });
});

const check = (against: string, key: string | undefined) =>
  checkExport(ledger.test.db, { file: against, keyFile: key, walletId: undefined });
const faultOf = (checked: Awaited<ReturnType<typeof check>>): string =>
  checked.ok ? '' : checked.fault.fault;

/** Why an export is refused; '' if it is not. */
const refusalOf = async (content: string | Buffer, key = keyFile): Promise<string> =>
  faultOf(await check(await write('changed.txt', content), key));

async function compare(walletId?: string) {
  const request = { file, keyFile, walletId };
  const checked = await checkExport(ledger.test.db, request);
  if (!checked.ok) throw new Error(checked.fault.fault);
  const findings: LedgerFinding[] = [];
  const report = (found: readonly LedgerFinding[]) => void findings.push(...found);
  const { signal } = new AbortController();
  const compared = await compareWith(ledger.test.db, request, checked.value, report, signal);
  return { wallets: compared.ok ? compared.value : undefined, findings };
}

/** With other values of the fields, signed again by a key. */
function signAgain(by: CheckpointLedger['signer'], change: (head: string) => string): string {
  const [head = '', rest = ''] = text.split(/(?<=\n)signature \S+\n/);
  const changed = change(head);
  return `${changed}signature ${signCheckpoint(changed, by.key)}\n${rest}`;
}

describe('an export that was changed', () => {
  const fields: readonly [string, (text: string) => string, string][] = [
    ['origin', (t) => t.replace(/^origin .*$/m, `origin ${randomUUID()}`), 'signature'],
    ['number', (t) => t.replace(/^number 2$/m, 'number 1'), 'signature'],
    ['time', (t) => t.replace(/^time 2/m, 'time 1'), 'signature'],
    ['wallets', (t) => t.replace(/^wallets 5$/m, 'wallets 4'), 'signature'],
    ['transactions', (t) => t.replace(/^transactions 16$/m, 'transactions 15'), 'signature'],
    ['root', (t) => t.replace(/^root .*$/m, `root ${'a'.repeat(64)}`), 'signature'],
    ['previous', (t) => t.replace(/^previous .*$/m, 'previous -'), 'signature'],
    ['key', (t) => t.replace(/^key .*$/m, `key ${'a'.repeat(16)}`), 'is the key'],
    ['signature', (t) => t.replace(/^signature ./m, (at) => flip(at)), 'signature'],
    ['version', (t) => t.replace('checkpoint 1', 'checkpoint 2'), 'no exported checkpoint'],
    ['line ends', (t) => t.replaceAll('\n', '\r\n'), 'no exported checkpoint'],
    ['line after the head', (t) => t.replace('\n\n', '\n'), 'no exported checkpoint'],
    ['wallet of a leaf', (t) => t.replace(/\n(\S{35})\S (?=\d)/, '\n$1x '), 'cannot be read'],
    ['seq of a leaf', (t) => t.replace(/^(\S{36}) 3 /m, '$1 4 '), 'the root that was signed'],
    ['seq in another form', (t) => t.replace(/^(\S{36}) 3 /m, '$1 03 '), 'cannot be read'],
    ['hash of a leaf', (t) => t.replace(/ [0-9a-f]{64}\n$/, ` ${'0'.repeat(64)}\n`), 'the root'],
    ['number of leaves, less', (t) => t.replace(/\S+ \d+ \S+\n$/, ''), '4 leaves, and 5'],
    [
      'number of leaves, more',
      (t) => `${t}ffffffff-ffff-5fff-8fff-ffffffffffff 1 ${'0'.repeat(64)}\n`,
      '6 leaves, and 5',
    ],
    ['number of leaves, one twice', (t) => t.replace(/(\S+ \d+ \S+\n)$/, '$1$1'), 'cannot be'],
    ['number of leaves, none', (t) => t.slice(0, t.indexOf('\n\n') + 2), '0 leaves, and 5'],
  ];
  const flip = (at: string): string => at.slice(0, -1) + (at.endsWith('A') ? 'B' : 'A');

  it.each(fields)('a checkpoint with another %s is refused', async (_field, change, why) => {
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(await refusalOf(changed)).toContain(why);
  });

  it('a checkpoint is refused whichever byte was changed', async () => {
    const bytes = Buffer.from(text);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 2),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const changed = Buffer.from(bytes);
          changed[at] = (changed[at]! + by) % 256;
          expect(await refusalOf(changed)).not.toBe('');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a signature has one text: no other base64 of the same bytes is taken', async () => {
    const at = text.indexOf('==\n') - 1;
    const found = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    for (const char of found.replace(text[at]!, '')) {
      const changed = `${text.slice(0, at)}${char}${text.slice(at + 1)}`;
      expect(await refusalOf(changed), char).toContain('signature');
    }
  });

  it('a checkpoint is refused wherever it is cut off', async () => {
    for (let length = 0; length < text.length - 1; length += 23) {
      expect(await refusalOf(text.slice(0, length)), String(length)).not.toBe('');
    }
  });

  it('files of another kind are refused with what is wrong', async () => {
    for (const content of ['', 'hello\n', Buffer.alloc(1_000_000), Buffer.alloc(300_000, 0x0a)]) {
      expect(await refusalOf(content)).toContain('no exported checkpoint');
    }
    const long = `${text}${'a'.repeat(5_000_000)}`;
    expect(await refusalOf(long)).toContain('leaf 6 cannot be read');
    expect(faultOf(await check(join(folder, 'nothing'), keyFile))).toContain('ENOENT');
    expect(faultOf(await check(folder, keyFile))).toContain('EISDIR');
  });
});

describe('whose checkpoint', () => {
  it('a key that has not signed is refused, and both are named', async () => {
    expect(await refusalOf(text, otherKeyFile)).toMatch(/is the key \w{16}, and \w{16} has signed/);
  });

  it('of a file with several keys the one that has signed is used', async () => {
    const pems = [createSigner(), ledger.signer, createSigner()].map(pemOf);
    const several = await write('several.pub', `of 2025:\n${pems.join('of 2026:\n')}`);
    expect(await refusalOf(text, several)).toBe('');
    const others = await write('others.pub', pemOf(createSigner()) + pemOf(createSigner()));
    expect(await refusalOf(text, others)).toMatch(/is the key \w{16}, \w{16}, and \w{16} has/);
  });

  it.each(['', 'no key\n', '-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n'])(
    'a file without a key is refused: %j',
    async (content) => {
      const none = await write('none.pub', content);
      expect(await refusalOf(text, none)).toContain('has no Ed25519 key');
    },
  );

  it('a key file that is not there is refused', async () => {
    expect(await refusalOf(text, join(folder, 'absent'))).toContain('has no Ed25519 key');
  });

  it('what a forger has signed is refused with the key of the server, and with none', async () => {
    const forger = createSigner();
    const same = signAgain(forger, (head) => head);
    expect(await refusalOf(same)).toContain('signature of the checkpoint is not valid');
    const own = signAgain(forger, (head) =>
      head.replace(/^key .*$/m, `key ${keyIdOf(forger.publicKey)}`),
    );
    expect(await refusalOf(own)).toContain('has signed');
    const withoutKey = await check(await write('own.txt', own), undefined);
    expect(faultOf(withoutKey)).toContain('the database has no key');
  });

  it('a checkpoint of another installation is refused, also if the same key has signed it', async () => {
    const origin = randomUUID();
    const other = signAgain(ledger.signer, (head) =>
      head.replace(/^origin .*$/m, `origin ${origin}`),
    );
    const why = await refusalOf(other);
    expect(why).toContain('is of another installation');
    expect(why).toContain(origin);
    const elsewhere = await createCheckpointLedger();
    await elsewhere.take();
    const foreign = await elsewhere.exportText(1n);
    await elsewhere.test.drop();
    expect(await refusalOf(foreign)).toContain('has signed');
    const foreignKey = await write('foreign.pub', pemOf(elsewhere.signer));
    expect(await refusalOf(foreign, foreignKey)).toContain('is of another installation');
  });

  it('the signature of an earlier key is valid with that key only', async () => {
    await ledger.take(createSigner());
    expect(await refusalOf(text)).toBe('');
    expect(await check(file, undefined)).toMatchObject({ ok: true });
  });
});

describe('comparison with one wallet', () => {
  it('of one wallet only that one is compared', async () => {
    const [first, second] = ledger.users.map((user) => walletIdOf(user, 'BRL'));
    const edit = (hash: string) =>
      ledger.test.query(
        `UPDATE transactions SET hash = decode($2, 'hex') WHERE wallet_id = $1 AND seq = 3`,
        [second, hash],
      );
    const [row] = await ledger.test.query<{ hash: string }>(
      `SELECT encode(hash, 'hex') AS hash FROM transactions WHERE wallet_id = $1 AND seq = 3`,
      [second],
    );
    await edit('ab'.repeat(32));
    try {
      expect(await compare(first)).toEqual({ wallets: 1, findings: [] });
      expect(await compare(second)).toMatchObject({
        wallets: 1,
        findings: [{ walletId: second, seq: 3n, kind: 'rewritten' }],
      });
      expect((await compare()).findings).toHaveLength(1);
    } finally {
      await edit(row!.hash);
    }
    expect(await compare()).toEqual({ wallets: 5, findings: [] });
  });

  it('a wallet that the checkpoint does not have is not compared', async () => {
    const newcomer = randomUUID();
    await ledger.deposit(newcomer);
    expect(await compare(walletIdOf(newcomer, 'BRL'))).toEqual({ wallets: 0, findings: [] });
  });
});
