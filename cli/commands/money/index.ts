import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addBalance } from './balance.ts';
import { addCancel } from './cancel.ts';
import { addDeposit } from './deposit.ts';
import { addPurchase } from './purchase.ts';
import { addReverse } from './reverse.ts';
import { addWithdraw } from './withdraw.ts';

/** `deposit`, `withdraw`, `purchase`, `cancel`, `reverse`, `balance`. */
export function addMoneyCommands(program: Command, start: Start): void {
  addDeposit(program, start);
  addWithdraw(program, start);
  addPurchase(program, start);
  addCancel(program, start);
  addReverse(program, start);
  addBalance(program, start);
}
