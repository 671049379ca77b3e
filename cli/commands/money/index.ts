import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addBalance } from './balance.ts';
import { addCancel } from './cancel.ts';
import { addCapture } from './capture.ts';
import { addDeposit } from './deposit.ts';
import { addHold } from './hold.ts';
import { addPurchase } from './purchase.ts';
import { addRelease } from './release.ts';
import { addReverse } from './reverse.ts';
import { addTransfer } from './transfer.ts';
import { addWithdraw } from './withdraw.ts';

/** The commands that move or reserve money, and `balance`. */
export function addMoneyCommands(program: Command, start: Start): void {
  addDeposit(program, start);
  addWithdraw(program, start);
  addPurchase(program, start);
  addTransfer(program, start);
  addHold(program, start);
  addCapture(program, start);
  addRelease(program, start);
  addCancel(program, start);
  addReverse(program, start);
  addBalance(program, start);
}
