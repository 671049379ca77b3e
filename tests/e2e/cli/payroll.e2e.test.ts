import { readFile } from 'node:fs/promises';

import { expect, it } from 'vitest';

import { runPayrollStory } from '../../../scripts/payroll-story/run.ts';
import { queryService } from '../../support/ledger/ledger.ts';

it(
  'the payroll of docs/payroll.md pays every person once, and prints what the page says',
  { timeout: 240_000 },
  async () => {
    const guide = await readFile(new URL('../../../docs/payroll.md', import.meta.url), 'utf8');
    const made = await runPayrollStory(async (world, payees) => {
      const users = await queryService<{ id: string; email: string }>(
        world.dataDir,
        'auth',
        'SELECT id, email FROM users',
      );
      const emails = new Map(users.map(({ id, email }) => [id, email]));
      const entries = await queryService<{ user_id: string; amount: string }>(
        world.dataDir,
        'wallet',
        `SELECT w.user_id, t.amount
           FROM transactions t JOIN wallets w ON w.id = t.wallet_id`,
      );
      const paid = entries.map(
        ({ user_id: id, amount: minor }) => `${emails.get(id) ?? id} ${minor}`,
      );
      const owed = payees.map(({ email, amount }) => `${email} ${amount.replace('.', '')}`);
      expect(paid.toSorted()).toEqual(owed.toSorted());
    });
    expect(made, 'run `npm run docs:payroll` and commit docs/payroll.md').toBe(guide);
  },
);
