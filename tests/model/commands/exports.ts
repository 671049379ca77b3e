import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials } from '@grpc/grpc-js';
import type { AsyncCommand } from 'fast-check';
import { z } from 'zod';

import {
  ExportFormat,
  ExportStatus,
  StatementServiceService,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { callAny, type AnyMethod } from '../../support/grpc/any-call.ts';
import { listMoved, type Model, type Place } from '../model.ts';
import type { Real } from '../real.ts';
import { expectSame } from './expect.ts';

const timeoutMs = 15_000;
const doneMs = 20_000;
const pollMs = 100;

/** An export up to now as a file: it has each transaction once, in order. */
export const exportLines = (place: Place): AsyncCommand<Model, Real> => ({
  check: () => true,
  run: async (model, real) => {
    const { done } = model.wallets[place];
    const { wallet, token } = real.customer(place);
    const method = StatementServiceService.createExport;
    const asked = {
      ...{ userId: '', currency: wallet.currency, timezone: '', locale: '', email: false },
      ...{ format: ExportFormat.NDJSON, byteOrderMark: false, idempotencyKey: '', dryRun: false },
    };
    const created = await real.connection().call(method, asked, token, timeoutMs);
    if (!created.ok) throw new Error(`an export was refused with ${created.reason}`);
    const exportId = created.value.export?.id ?? '';
    await waitForExport(real, token, exportId);
    const text = await download(real, token, exportId);
    expectSame('the lines of the export', readIds(text), listMoved(done));
  },
  toString: () => `export of wallet ${place}`,
});

async function waitForExport(real: Real, token: string, exportId: string): Promise<void> {
  const endsAtMs = performance.now() + doneMs;
  for (;;) {
    const method = StatementServiceService.getExport;
    const answer = await real.connection().call(method, { exportId }, token, timeoutMs);
    if (!answer.ok) throw new Error(`an export was not found: ${answer.reason}`);
    const status = answer.value.export?.status;
    if (status === ExportStatus.DONE) return;
    const isOpen = status === ExportStatus.QUEUED || status === ExportStatus.RUNNING;
    if (!isOpen) throw new Error(`an export ended with status ${String(status)}`);
    if (performance.now() > endsAtMs) throw new Error('an export is not done after 20 s');
    await sleep(pollMs);
  }
}

async function download(real: Real, token: string, exportId: string): Promise<string> {
  const client = new Client(real.site.daemon().address, credentials.createInsecure());
  const method = StatementServiceService.downloadExport as unknown as AnyMethod;
  const outcome = await callAny(client, method, { exportId, offset: 0n }, `Bearer ${token}`);
  client.close();
  if (outcome.code !== 0) throw new Error(`a download was refused with ${outcome.reason}`);
  const chunks = outcome.messages as readonly { readonly data: Uint8Array }[];
  return Buffer.concat(chunks.map(({ data }) => data)).toString();
}

const line = z.object({ transactionId: z.string() });

/** The ids of the lines; what has none is about the statement. */
function readIds(text: string): string[] {
  return text
    .split('\n')
    .filter((each) => each !== '')
    .flatMap((each) => {
      const read = line.safeParse(JSON.parse(each));
      return read.success ? [read.data.transactionId] : [];
    });
}
