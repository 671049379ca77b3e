import {
  Client,
  credentials,
  Metadata,
  type ChannelCredentials,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

/** An answer, or the reason of the refusal with its metadata. */
export type Answer<Res> =
  | { readonly ok: true; readonly value: Res }
  | { readonly ok: false; readonly reason: string; readonly metadata: Record<string, string> };

export type Connection = {
  call<Req, Res>(
    method: MethodDefinition<Req, Res>,
    request: Req,
    token?: string,
    timeoutMs?: number,
  ): Promise<Answer<Res>>;
  close(): void;
};

/** A bare gRPC client of a daemon, past the CLI. */
export function connect(
  address: string,
  channel: ChannelCredentials = credentials.createInsecure(),
  headers: Readonly<Record<string, string>> = {},
): Connection {
  const client = new Client(address, channel);
  return {
    call: (method, request, token, timeoutMs) =>
      new Promise((resolve) => {
        const metadata = new Metadata();
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          metadata,
          timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
          (err, value) => {
            if (err) resolve({ ok: false, ...readError(err) });
            else if (value === undefined) resolve({ ok: false, reason: 'no answer', metadata: {} });
            else resolve({ ok: true, value });
          },
        );
      }),
    close: () => client.close(),
  };
}

/** An item with what a customer leaves out. */
export const item = (fields: Partial<TransactionItem>): TransactionItem => ({
  userId: '',
  currency: '',
  operation: 0,
  metadata: {},
  idempotencyKey: crypto.randomUUID(),
  ...fields,
});

function readError(err: ServiceError): { reason: string; metadata: Record<string, string> } {
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return { reason: `code ${err.code}: ${err.details}`, metadata: {} };
  const [detail] = Status.decode(bytes).details;
  const { reason, metadata } = ErrorInfo.decode(detail?.value ?? new Uint8Array());
  return { reason, metadata };
}
