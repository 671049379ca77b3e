import type { Command } from 'commander';

import type { ProvedClaim } from '../../../core/statement-proof/index.ts';
import type { Context } from '../../context.ts';
import {
  done,
  exitCodes,
  fail,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import type { Start } from '../shared/start.ts';
import { proofPathOf, verifyFiles } from './proof/files.ts';
import { findTrust } from './proof/trust.ts';
import { proofColumns, toProofJson } from './proof/columns.ts';

type StatementVerifyOptions = { readonly proof?: string; readonly key?: string };

/** Adds `wallet statement verify`. */
export function addStatementVerify(statement: Command, start: Start): void {
  statement
    .command('verify')
    .description('check the file of a statement against its proof, without the server')
    .argument('<FILE>', 'the file, as statement export --proof wrote it')
    .option('--proof <FILE>', 'its proof (default: FILE.proof.json)')
    .option('--key <FILE>', "the server's public keys (PEM); default: those seen by export --proof")
    .addHelpText(
      'after',
      `
Examples:
  wallet statement verify october.csv
  wallet statement verify october.csv --key bank.pem
  wallet statement verify october.csv --proof october.csv.proof.json --json

Nothing is sent. The file must be unchanged, to the byte. Exit code 10 means that it is not proved:
the first place that does not match is named.`,
    )
    .action(async (file: string, options: StatementVerifyOptions, command: Command) => {
      await start(command, (context) => runStatementVerify(context, file, options));
    });
}

/** `wallet statement verify`: file, chain, leaf and signature, in constant memory. */
async function runStatementVerify(
  context: Context,
  file: string,
  options: StatementVerifyOptions,
): Promise<CommandOutcome> {
  const { timezone } = context.settings;
  const proof = options.proof ?? proofPathOf(file);
  const checked = await check(file, proof);
  if (!checked.ok) return checked;
  const claim = checked.value;
  const trust = await findTrust(context, claim.seal, options.key);
  if (!trust.ok) return trust;
  const row = { file, proof, claim, trust: trust.value };
  await printObject(context, row, proofColumns(timezone), toProofJson);
  if (claim.isPeriodProved) return done;
  await context.reporter.noteAlways(
    'not proved: that no other entry belongs to the period, because the proof does not show the ' +
      'entries beside it; without --hide-neighbours an export has them: wallet statement export --proof',
  );
  return succeed(exitCodes.statementNotComplete);
}

async function check(file: string, proof: string): Promise<Outcome<ProvedClaim>> {
  const read = await verifyFiles(file, proof);
  if (!read.ok) return read;
  if (read.value.ok) return succeed(read.value.value);
  const { where, field, message } = read.value.fault;
  return fail('PROOF_MISMATCH', `not proved: ${where}: ${field} ${message}`, {
    field,
    hint: 'do not rely on the file; ask for it and for its proof again',
  });
}
