import { succeed, type Result } from '../../../core/reasons.ts';
import type {
  RebuildProjectionRequest,
  RebuildProjectionResponse,
  StatementServiceServer,
  VerifyProjectionRequest,
  VerifyProjectionResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { CallContext, Handlers } from '../../platform/grpc/calls.ts';
import type { Log } from '../../platform/log.ts';
import { readWalletId, rebuild, verify, type RebuildOptions } from './rebuild.ts';

export type RebuildHandlerOptions = RebuildOptions & {
  readonly trail: AuditTrail;
  readonly log: Log;
};

/** Holding the projection against the ledger, and putting it right. */
export function createRebuildHandlers(
  options: RebuildHandlerOptions,
): Handlers<StatementServiceServer> {
  return {
    rebuildProjection: (request, context) => rebuildProjection(options, request, context),
    verifyProjection: (request, context) => verifyProjection(options, request, context),
  };
}

async function rebuildProjection(
  options: RebuildHandlerOptions,
  request: RebuildProjectionRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<RebuildProjectionResponse>>> {
  const walletId = readWalletId(request.walletId);
  if (!walletId.ok) return walletId;
  const target = walletId.value ?? 'all';
  await options.trail.record(context, { action: 'projection.rebuild', target, result: 'ok' });
  const { principal } = context;
  const resolvedBy = principal.kind === 'user' ? principal.userId : principal.kind;
  return succeed(sendRebuild(options, walletId.value, resolvedBy));
}

async function* sendRebuild(
  options: RebuildHandlerOptions,
  walletId: string | undefined,
  resolvedBy: string,
): AsyncGenerator<RebuildProjectionResponse, void> {
  for await (const progress of rebuild(options, walletId, resolvedBy)) {
    const { wallets, lines, repaired, isDone: done } = progress;
    if (done && repaired > 0) {
      options.log.warn({ repaired, walletId }, 'statement lines were repaired from the ledger');
    }
    yield {
      wallets: BigInt(wallets),
      lines: BigInt(lines),
      repaired: BigInt(repaired),
      done,
    };
  }
}

async function verifyProjection(
  options: RebuildHandlerOptions,
  request: VerifyProjectionRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<VerifyProjectionResponse>>> {
  const walletId = readWalletId(request.walletId);
  if (!walletId.ok) return walletId;
  const target = walletId.value ?? 'all';
  await options.trail.record(context, { action: 'projection.verify', target, result: 'ok' });
  return succeed(sendFindings(options, walletId.value));
}

async function* sendFindings(
  options: RebuildHandlerOptions,
  walletId: string | undefined,
): AsyncGenerator<VerifyProjectionResponse, void> {
  let [wallets, transactions, findings] = [0n, 0n, 0n];
  for await (const part of verify(options, walletId)) {
    for (const { place, kind, detail } of part.findings) {
      yield { report: { $case: 'finding', value: { ...place, kind, detail } } };
    }
    wallets = BigInt(part.wallets);
    transactions = BigInt(part.lines);
    findings += BigInt(part.findings.length);
    const value = { wallets, transactions, findings, done: false };
    yield { report: { $case: 'progress', value } };
  }
  const value = { wallets, transactions, findings, done: true };
  yield { report: { $case: 'progress', value } };
}
