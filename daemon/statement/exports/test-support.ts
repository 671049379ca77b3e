import { expect, vi } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import {
  CreateExportRequest,
  ExportStatus,
  type CreateExportResponse,
  type DownloadExportResponse,
  type Export,
  type GetExportResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Db } from '../../platform/db/db.ts';
import { contextOf, startMs, valueOf, type StatementWorld } from '../test-support.ts';

export const dayMs = 86_400_000;

/** A year of the test's wallets. */
const order = (change: Partial<CreateExportRequest> = {}): CreateExportRequest =>
  CreateExportRequest.fromPartial({
    from: new Date(startMs),
    to: new Date(startMs + 365 * dayMs),
    timezone: 'America/Sao_Paulo',
    ...change,
  });

/** The RPCs of a service, called without gRPC as a given user. */
export function callsOf({ service }: Awaited<ReturnType<StatementWorld['start']>>) {
  const call = <T>(method: string, request: object, principal: UserPrincipal) => {
    const handler = service.handlers[method];
    if (!handler) throw new Error(`no handler ${method}`);
    return handler(request as never, contextOf(principal)) as Promise<Result<T>>;
  };
  const create = (principal: UserPrincipal, change: Partial<CreateExportRequest> = {}) =>
    call<CreateExportResponse>('createExport', order(change), principal);
  const get = (exportId: string, principal: UserPrincipal) =>
    call<GetExportResponse>('getExport', { exportId }, principal);
  return {
    call,
    create,
    get,
    made: async (principal: UserPrincipal, change: Partial<CreateExportRequest> = {}) =>
      valueOf(await create(principal, change)).export as Export,
    ended: (id: string, principal: UserPrincipal): Promise<Export> =>
      vi.waitFor(
        async () => {
          const found = valueOf(await get(id, principal)).export as Export;
          const { DONE, FAILED, INCONSISTENT } = ExportStatus;
          expect([DONE, FAILED, INCONSISTENT]).toContain(found.status);
          return found;
        },
        { timeout: 30_000, interval: 30 },
      ),
    download: async (exportId: string, principal: UserPrincipal, offset = 0n): Promise<Buffer> => {
      type Chunks = AsyncIterable<DownloadExportResponse>;
      const chunks = await call<Chunks>('downloadExport', { exportId, offset }, principal);
      const parts: Uint8Array[] = [];
      for await (const { data } of valueOf(chunks)) {
        expect(data.length).toBeLessThanOrEqual(64 * 1024);
        parts.push(data);
      }
      return Buffer.concat(parts);
    },
  };
}

/** Transactions end, but are not answered while the condition holds, until they are released. */
export function holdTransactions(
  db: Db,
  isHeld: () => Promise<boolean>,
): { readonly db: Db; readonly release: () => void } {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const tx: Db['tx'] = async (run) => {
    const done = await db.tx(run);
    if (await isHeld()) await released;
    return done;
  };
  return { db: { ...db, tx }, release: () => release() };
}
