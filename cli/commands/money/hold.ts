import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAmountCommand, forceOption } from './options.ts';

/** Adds `wallet hold`. */
export function addHold(program: Command, start: Start): void {
  addAmountCommand(program, start, {
    name: 'hold',
    operation: 'hold',
    description: 'reserve money of a wallet, to be captured or released later',
    examples: [
      '50.00 --user ana@example.com --merchant "Hotel Sol" --expires-in 7d',
      '50.00 --user ana@example.com --to leo@example.com --expires-at 2026-12-01T12:00',
    ],
  })
    .option('--merchant <NAME>', 'the merchant that a capture pays')
    .option('--to <USER>', 'the user whom a capture pays: e-mail address or id')
    .option('--via <NAME>', 'the account outside that a capture pays, like a bank')
    .option('--expires-in <TIME>', 'how long it lasts, like 30m, 12h, 7d or 2w')
    .option(
      '--expires-at <TIME>',
      "when it ends: a time, or the end of a date (default: the server's number of days, 7)",
    )
    .option(...forceOption);
}
