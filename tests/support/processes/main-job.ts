import { beforeAll, describe, expect, it } from 'vitest';

import { expectCode, type Person, type World } from './world.ts';

type Transaction = { id: string; seq: number; balanceAfter: string; replayed: boolean };
type Statement = {
  status: string;
  statement: { opening: string; closing: string; lines: { transactionId: string }[] };
};

/** What the product is for, through the CLI: the same steps however the daemons are laid out. */
export function describeMainJob(world: () => Pick<World, 'customer' | 'staff'>): void {
  describe('the main job', () => {
    let ana: Person;

    beforeAll(async () => {
      ana = await world().customer('anton');
      await ana.json(['deposit', '1.00', '--yes']);
    });

    it('balance and statement agree after deposits, withdrawals, purchases and undos', async () => {
      const bia = await world().customer('bia');
      await bia.json(['deposit', '100.00', '--yes', '--description', 'salary']);
      const taken = await bia.json<Transaction>(['withdraw', '30', '--yes']);
      const bought = await bia.json<Transaction>([
        'purchase',
        '20.5',
        '--merchant',
        'Shop',
        '--yes',
      ]);
      await bia.json(['cancel', bought.id, '--yes']);
      const undone = await bia.json<Transaction>(['reverse', taken.id, '--yes']);
      expect(undone).toMatchObject({
        operation: 'reversal',
        balanceAfter: '100.00',
        parentId: taken.id,
      });
      const shown = await bia.json<Statement>(['statement', 'show']);
      expect(shown.statement).toMatchObject({ opening: '0.00', closing: '100.00' });
      expect(shown.statement.lines).toHaveLength(5);
    });

    it('a dry run of a deposit changes nothing', async () => {
      const before = await ana.json(['balance']);
      await ana.json(['deposit', '5.00', '--dry-run', '--yes']);
      expect(await ana.json(['balance'])).toMatchObject({
        balance: (before as { balance: string }).balance,
      });
    });

    it('currencies of 0 and 3 decimals have wallets of their own', async () => {
      await ana.json(['deposit', '500', '--currency', 'JPY', '--yes']);
      await ana.json(['deposit', '1.234', '--currency', 'KWD', '--yes']);
      expect(await ana.json(['balance', '--currency', 'JPY'])).toMatchObject({ balance: '500' });
      expect(await ana.json(['balance', '--currency', 'KWD'])).toMatchObject({ balance: '1.234' });
      const all = await ana.json<{ items: { currency: string }[] }>(['balance', '--all']);
      expect(all.items.map((balance) => balance.currency)).toEqual(['BRL', 'JPY', 'KWD']);
    });

    it('the first admin is created while the daemon runs, and creates an operator', async () => {
      const root = await world().staff('root', 'admin');
      expectCode(
        await root.run(
          [
            'users',
            'create',
            '--email',
            'olga@example.com',
            '--role',
            'operator',
            '--password-stdin',
          ],
          'the operators passphrase',
        ),
        0,
      );
      expectCode(await root.run(['deposit', '10.00', '--user', ana.id, '--yes', '--quiet']), 0);
      const own = await root.run([
        'deposit',
        '10.00',
        '--user',
        root.id,
        '--yes',
        '--json',
        '--quiet',
      ]);
      expectCode(own, 8);
      const unnamed = await root.run(['deposit', '10.00', '--yes', '--json', '--quiet']);
      expectCode(unnamed, 2);
      expect(unnamed.stderr).toContain('USER_REQUIRED');
    });

    it('wallets and transactions of another user are answered like absent ones', async () => {
      const eve = await world().customer('eve');
      const { items } = await ana.json<{ items: Transaction[] }>(['transactions', 'list']);
      const absent = 'c0ffee00-0000-4000-8000-000000000000';
      const commands = (id: string, user: string) => [
        ['transactions', 'show', id],
        ['reverse', id, '--yes'],
        ['balance', '--user', user],
        ['statement', 'show', '--user', user],
        ['deposit', '1.00', '--user', user, '--yes'],
      ];
      const answers = async (id: string, user: string) => {
        const texts: string[] = [];
        for (const args of commands(id, user)) {
          const { code, stdout, stderr } = await eve.run([...args, '--json', '--quiet']);
          expect(code).toBe(5);
          const text = `${stdout}${stderr}`.replaceAll(id, 'ID').replaceAll(user, 'USER');
          texts.push(text.replace(/"requestId": ?"[^"]*"/, ''));
        }
        return texts;
      };
      const foreign = await answers(items[0]?.id ?? '', ana.id);
      expect(foreign).toEqual(await answers(absent, absent.replace('c0ffee', 'decade')));
      expect(await eve.json(['balance'])).toMatchObject({ balance: '0.00', seq: 0 });
    });
  });
}
