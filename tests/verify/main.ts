import { parseArgs } from 'node:util';

import { ensureTestServices } from '../../scripts/test-services.ts';
import { runVerification } from './run.ts';

// `npm run test:verify -- --transactions 1000000 --edits 40`: a ledger of that size is verified,
// then edited in so many wallets, one edit each, and verified again. Ends with 1 unless each edit
// is found at its wallet and seq, and nothing else.

const { values } = parseArgs({
  options: {
    transactions: { type: 'string', default: '1000000' },
    edits: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const [transactions, edits, seed] = [values.transactions, values.edits, values.seed].map(Number);
if (!transactions || transactions < 5 || edits === undefined || !(edits >= 0) || !seed) {
  console.error('--transactions is a number from 5, --edits one of 0 or more, --seed one above 0');
  process.exit(2);
}
ensureTestServices();
const isRight = await runVerification({ transactions, edits, seed, say: console.log });
process.exit(isRight ? 0 : 1);
