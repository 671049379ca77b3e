import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  ResolveRecipientRequest,
  ResolveUsersRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  type CreateTransactionRequest,
  type GetTransactionRequest,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const bia = '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
const parentId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';

let cli: Cli;
let server: FakeServer;
let requests: CreateTransactionRequest[];
let reads: GetTransactionRequest[];
let refused: Error | undefined;
let parent: Partial<Transaction>;
let mayRead: boolean;
let role: number;
let lookUps: number;
let masked: number;

beforeEach(async () => {
  [requests, reads, refused, parent, mayRead, role, lookUps] = [[], [], undefined, {}, true, 1, 0];
  masked = 0;
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      requests.push(request);
      return refused ?? created(request);
    },
    getTransaction: (request: GetTransactionRequest) => {
      reads.push(request);
      if (!mayRead) return refusal('PERMISSION_DENIED', 'this needs the scope transactions:read');
      const item = {
        currency: 'JPY',
        operation: Operation.DEPOSIT,
        amountMinor: 5_000n,
        metadata: {},
      };
      const asked = { ...item, userId, idempotencyKey: 'k' };
      const { transaction } = created({ item: asked, dryRun: false });
      return { transaction: { ...transaction, id: parentId, ...parent }, related: [] };
    },
    resolveRecipient: ({ email }: ResolveRecipientRequest) => {
      masked += 1;
      if (email !== 'bia@example.com') return refusal('RECIPIENT_NOT_FOUND', 'no such recipient');
      return { userId: bia, maskedEmail: 'b***@example.com' };
    },
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role } }),
    resolveUsers: ({ userIds, emails }: ResolveUsersRequest) => {
      lookUps += 1;
      const names = [...userIds, ...emails];
      const users = [
        { id: bia, email: 'bia@example.com', role: 1 },
        { id: userId, email: 'ana@example.com', role: 1 },
      ];
      return {
        users: users.filter(({ id, email }) => names.includes(id) || names.includes(email)),
      };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

/** Runs at a terminal, and answers yes or no to the only question. */
async function ask(argv: readonly string[], answer: boolean) {
  const asked: string[] = [];
  const confirm = (message: string) => (asked.push(message), Promise.resolve(answer));
  const ran = await cli.run([...argv, '--no-color'], { isTerminal: true, prompter: { confirm } });
  return { ...ran, asked };
}

describe('transfers', () => {
  test('a transfer sends the id of who is paid, reference and metadata, and prints them', async () => {
    const more = ['--reference', ' NF-7 ', '--meta', 'order=1042', '--meta', 'note=a=b'];
    const argv = ['transfer', '25', '--to', 'bia@example.com', ...more, '--yes'];
    const ran = await cli.run([...argv, '--json']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(requests[0]?.item).toMatchObject({
      ...{ toUserId: bia, amountMinor: 2_500n, userId: '', reference: 'NF-7' },
      metadata: { order: '1042', note: 'a=b' },
    });
    expect(JSON.parse(ran.out)).toMatchObject({
      ...{ operation: 'transfer', amount: '25.00', counterparty: bia, reference: 'NF-7' },
      metadata: { order: '1042', note: 'a=b', reference: 'NF-7' },
    });
    const card = await cli.run(argv);
    expect(card.out).toMatch(/^other user +1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11$/m);
    expect(card.out).toMatch(/^reference +NF-7$/m);
    expect(card.out).toMatch(/^metadata +note=a=b, order=1042$|^metadata +order=1042, note=a=b$/m);
  });

  test('the confirmation names both parties and the amount', async () => {
    role = 2;
    const argv = ['transfer', '25', '--user', userId, '--to', bia];
    const { exitCode, err, asked } = await ask(argv, false);
    expect(exitCode).toBe(130);
    expect(err).toMatch(new RegExp(`^from +ana@example.com \\(${userId}\\)$`, 'm'));
    expect(err).toMatch(new RegExp(`^to +bia@example.com \\(${bia}\\)$`, 'm'));
    expect(err).toMatch(/^transfer +25.00 BRL$/m);
    expect(asked).toEqual(['Transfer 25.00 BRL to bia@example.com?']);
    expect(requests).toEqual([]);
  });

  test('the confirmation of a customer has the masked address that the server gave', async () => {
    const { err, asked } = await ask(['transfer', '25', '--to', 'Bia@Example.com'], true);
    expect(err).toMatch(new RegExp(`^to +b\\*{3}@example.com \\(${bia}\\)$`, 'm'));
    expect(asked).toEqual(['Transfer 25.00 BRL to b***@example.com?']);
    expect(requests[0]?.item).toMatchObject({ toUserId: bia });
  });

  test('customers who name the recipient by id have no address looked up', async () => {
    const { asked } = await ask(['transfer', '25', '--to', bia], true);
    expect([asked, lookUps]).toEqual([[`Transfer 25.00 BRL to ${bia}?`], 0]);
    expect(requests[0]?.item).toMatchObject({ toUserId: bia });
  });

  test('customers confirm a recipient by a masked address, and staff by the whole one', async () => {
    const argv = ['transfer', '25', '--to', 'bia@example.com'];
    const { asked, err } = await ask(argv, true);
    expect([asked, lookUps, masked]).toEqual([['Transfer 25.00 BRL to b***@example.com?'], 0, 1]);
    expect(err).toMatch(new RegExp(`^to +b\\*\\*\\*@example.com \\(${bia}\\)$`, 'm'));
    expect(requests[0]?.item).toMatchObject({ toUserId: bia });
    role = 2;
    const ofStaff = await ask([...argv, '--user', userId], false);
    expect([ofStaff.asked, masked]).toEqual([['Transfer 25.00 BRL to bia@example.com?'], 1]);
  });

  test('an address without an account is refused before anything is sent', async () => {
    const argv = ['transfer', '1', '--to', 'caio@example.com', '--yes', '--json'];
    const ran = await cli.run(argv);
    expect([ran.exitCode, requests.length]).toEqual([5, 0]);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: { reason: 'RECIPIENT_NOT_FOUND', field: 'to' },
    });
  });

  test('a dry run of a transfer asks nothing, and names who would be paid', async () => {
    const ran = await cli.run(['transfer', '25', '--to', bia, '--dry-run', '--json']);
    expect([ran.exitCode, requests[0]?.dryRun]).toEqual([0, true]);
    expect(JSON.parse(ran.out)).toMatchObject({ dryRun: true, counterparty: bia });
  });

  test('the bank of a deposit is sent and printed', async () => {
    const ran = await cli.run(['deposit', '1', '--via', 'itau', '--yes', '--json']);
    expect(requests[0]?.item).toMatchObject({ via: 'itau' });
    expect(JSON.parse(ran.out)).toMatchObject({ via: 'itau' });
  });

  test('RECIPIENT_NOT_FOUND ends with 5 and names the option that is wrong', async () => {
    refused = refusal('RECIPIENT_NOT_FOUND', 'there is no such recipient', { field: 'to_user_id' });
    const ran = await cli.run(['transfer', '25', '--to', bia, '--yes', '--json']);
    expect(ran.exitCode).toBe(5);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: { reason: 'RECIPIENT_NOT_FOUND', hint: expect.stringContaining('--to') as string },
    });
  });

  test.each([
    [['transfer', '1'], 'to', '--to is missing'],
    [['transfer', '1'], 'to', '--to EMAIL'],
    [['transfer', '1', '--to', 'bia'], 'to', 'neither an e-mail address'],
    [['transfer', '-1', '--to', bia], 'amount', 'not a valid amount'],
    [['deposit', '1', '--via', 'Bank A'], 'via', '"Bank A"'],
    [['deposit', '1', '--meta', 'order'], 'meta', '"order" is not of the form KEY=VALUE'],
    [['deposit', '1', '--meta', 'a=1', '--meta', 'a=2'], 'meta', '--meta has the key "a" twice'],
    [['deposit', '1', '--meta', 'dw.x=1'], 'meta', '"dw.x"'],
    [['deposit', '1', '--meta', `po=${'x'.repeat(257)}`], 'meta', '"po"'],
    [
      ['deposit', '1', '--reference', 'x'.repeat(257)],
      'reference',
      '--reference must have at most 256',
    ],
  ])('what is wrong is named before anything is sent: case %#', async (argv, field, problem) => {
    const ran = await cli.run([...argv, '--yes', '--json']);
    expect(ran.exitCode).toBe(2);
    const { error } = JSON.parse(ran.err) as { error: Record<string, string> };
    expect(error['field']).toBe(field);
    expect(`${error['message']} ${error['hint'] ?? ''}`).toContain(problem);
    expect(requests).toEqual([]);
  });
});

describe('parts of undos', () => {
  test('an amount of an undo is read in the currency of its parent', async () => {
    const ran = await cli.run(['reverse', parentId, '--amount', '300', '--yes']);
    expect(ran.exitCode).toBe(0);
    expect(requests[0]?.item).toMatchObject({ parentId, amountMinor: 300n, currency: 'JPY' });
    const wrong = await cli.run(['reverse', parentId, '--amount', '0.5', '--yes', '--json']);
    expect(JSON.parse(wrong.err)).toMatchObject({ error: { reason: 'AMOUNT_INVALID' } });
    expect(requests).toHaveLength(1);
  });

  test('an undo without an amount, and one with a currency, read nothing', async () => {
    await cli.run(['reverse', parentId, '--force', '--yes']);
    await cli.run(['cancel', parentId, '--amount', '0.5', '--currency', 'BRL', '--yes']);
    expect(requests.map(({ item }) => [item?.amountMinor, item?.currency, item?.force])).toEqual([
      [undefined, '', true],
      [50n, 'BRL', undefined],
    ]);
    expect(reads).toEqual([]);
  });

  test('who may not read undoes a part in the chosen currency', async () => {
    mayRead = false;
    const ran = await cli.run(['reverse', parentId, '--amount', '0.5', '--yes']);
    expect([ran.exitCode, requests[0]?.item?.currency]).toEqual([0, 'BRL']);
  });

  test('the confirmation shows what is left, and asks for all of it', async () => {
    parent = { undoneMinor: 1_500n, operation: Operation.TRANSFER, counterpartyUserId: bia };
    const { err, asked } = await ask(['reverse', parentId, '--force'], false);
    expect(err).toMatch(new RegExp(`^reversal of +transfer 5000 JPY, ${parentId}$`, 'm'));
    expect(err).toMatch(new RegExp(`^other user +${bia}$`, 'm'));
    expect(err).toMatch(/^left to undo +3500 of 5000 JPY$/m);
    expect(err).toMatch(/^force +a wallet may fall below zero$/m);
    expect(asked).toEqual(['Make this reversal of 3500 JPY?']);
    const part = await ask(['reverse', parentId, '--amount', '500'], true);
    expect(part.asked).toEqual(['Make this reversal of 500 JPY?']);
    expect(requests[0]?.item).toMatchObject({ amountMinor: 500n });
  });

  test('a reversal of what was spent, or of too much, names the command that helps', async () => {
    refused = refusal('INSUFFICIENT_FUNDS', 'the balance of the other user is 0');
    const spent = await cli.run(['reverse', parentId, '--user', userId, '--yes', '--json']);
    expect(JSON.parse(spent.err)).toMatchObject({
      error: { hint: expect.stringContaining(`${parentId} --force`) as string },
    });
    refused = refusal('UNDO_EXCEEDS_PARENT', '1.00 of 2.00 are left', { field: 'amount' });
    const over = ['cancel', parentId, '--amount', '2', '--currency', 'BRL', '--dry-run', '--json'];
    expect(JSON.parse((await cli.run(over)).err)).toMatchObject({
      error: {
        hint: `see what is left: wallet transactions show --currency BRL ${parentId}`,
        field: 'amount',
      },
    });
  });

  test('what was undone of a transaction is shown with it', async () => {
    parent = { undoneMinor: 1_500n };
    const ran = await cli.run(['transactions', 'show', parentId, '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ undone: '1500', amount: '5000' });
  });
});
