import type { Command } from 'commander';

import { isUuid } from '../../../core/ids.ts';
import {
  StatementServiceService,
  type VerifyProjectionResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  WalletServiceService,
  type VerifyFinding,
  type VerifyLedgerRequest,
  type VerifyLedgerResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  failUsage,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import { textColumn } from '../../output/columns.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import type { ListPrinter } from '../../output/list-printer.ts';
import type { Column } from '../../output/print.ts';
import { isAboutToken } from '../../rpc/caller.ts';
import { toCliFailure, toLostFailure, type CallFailure } from '../../rpc/errors.ts';
import type { Method } from '../../rpc/method.ts';
import type { AnswerStream } from '../../rpc/stream.ts';
import { createProgress, type Progress } from '../shared/progress.ts';
import { addViewOptions } from '../shared/options.ts';
import { openPrinter } from '../shared/paging.ts';
import type { Start } from '../shared/start.ts';

type VerifyOptions = ViewOptions & { readonly wallet?: string };

/** Adds `wallet audit verify`. */
export function addAuditVerify(audit: Command, start: Start): void {
  const verify = audit
    .command('verify')
    .description('check the whole ledger, and the statement lines against it, while it is in use')
    .option('--wallet <ID>', 'of this wallet only');
  addViewOptions(verify)
    .addHelpText(
      'after',
      `
Examples:
  wallet audit verify
  wallet audit verify --wallet adbcf8b0-01c7-561f-af3e-e0db58fa9b1b
  wallet audit verify -o ndjson > findings.ndjson

The exit code is 0 if nothing is wrong, and 1 if there is a finding. On the host of the databases
\`walletd verify\` does the same, and faster.`,
    )
    .action(async (options: VerifyOptions, command: Command) => {
      await start(command, (context) => runAuditVerify(context, options));
    });
}

const columns: readonly Column<VerifyFinding>[] = [
  textColumn('wallet', 'WALLET', ({ walletId }) => walletId, { isId: true, isKey: true }),
  textColumn('seq', 'SEQ', ({ seq }) => seq.toString(), { isKey: true }),
  textColumn('kind', 'KIND', ({ kind }) => kind, { isKey: true }),
  textColumn('detail', 'DETAIL', ({ detail }) => detail, { isFlexible: true }),
];

const toJson = ({ walletId, seq, kind, detail }: VerifyFinding): object => ({
  ...{ wallet: walletId, seq: Number(seq), kind, detail },
});

/** `wallet audit verify`: the ledger first, then the lines. */
async function runAuditVerify(context: Context, options: VerifyOptions): Promise<CommandOutcome> {
  const { wallet } = options;
  if (wallet !== undefined && !isUuid(wallet)) {
    return failUsage('--wallet', `${wallet} is not the id of a wallet`);
  }
  const opened = openPrinter(context, options, columns, toJson);
  if (!opened.ok) return opened;
  const printer = opened.value;
  const progress = createProgress(context);
  const request = { walletId: wallet };
  let findings = 0n;
  for (const [what, method] of [
    ['transactions', WalletServiceService.verifyLedger],
    ['lines', StatementServiceService.verifyProjection],
  ] as const) {
    const verified = await verifyPart(context, { what, method, request, printer, progress });
    if (!verified.ok) return verified;
    findings += verified.value;
  }
  await printer.end(undefined, 'nothing is wrong', { findings: Number(findings) });
  return succeed(findings === 0n ? exitCodes.done : exitCodes.unexpected);
}

type Answer = VerifyLedgerResponse | VerifyProjectionResponse;

type Parts = {
  readonly what: string;
  readonly method: Method<VerifyLedgerRequest, Answer>;
  readonly request: VerifyLedgerRequest;
  readonly printer: ListPrinter<VerifyFinding>;
  readonly progress: Progress;
};

/** Runs one of the two to its end, and prints what it finds; gives the number of findings. */
async function verifyPart(context: Context, parts: Parts): Promise<Outcome<bigint>> {
  const { what, printer, progress } = parts;
  const stream = await open(context, parts);
  if (!stream.ok) return stream;
  let findings = 0n;
  try {
    for (;;) {
      const read = await stream.value.read();
      if (!read.ok) return failRead(read.failure);
      const report = read.value?.report;
      if (report?.$case === 'finding') {
        findings += 1n;
        await progress.clear();
        await printer.add([report.value]);
      } else if (report?.$case === 'progress') {
        const { transactions, done } = report.value;
        if (done) return succeed(findings);
        await progress.show(`${transactions} ${what} checked`);
      } else return failRead(toLostFailure('the answer ended before its end'));
    }
  } finally {
    await progress.clear();
    stream.value.cancel();
  }
}

/** Opens the stream; once more with a new token where the last was refused. */
async function open(
  { caller }: Context,
  { method, request }: Parts,
): Promise<Outcome<AnswerStream<Answer>>> {
  for (const isRenewed of [false, true]) {
    const opened = await caller.openAnswers(method, request, isRenewed);
    if (!opened.ok) return opened;
    if (opened.value.ok) return succeed(opened.value.value);
    const { failure } = opened.value;
    if (isRenewed || !isAboutToken(failure)) return failRead(failure);
  }
  return failRead(toLostFailure('no stream was opened'));
}

const failRead = (failure: CallFailure): Failed => ({
  ok: false,
  failure: toCliFailure(failure, 'read'),
});
