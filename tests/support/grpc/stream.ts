import { connect } from 'node:http2';

import {
  Client,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ServiceError,
} from '@grpc/grpc-js';

import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';
import {
  WalletServiceService,
  type StreamTransactionsRequest,
  type StreamTransactionsResponse,
  type TransactionItem,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

/** How a stream ended: `OK`, or the reason of the refusal. */
export type StreamEnd = string;

export type OpenStream = {
  /** Sends one message; what the server does not take yet waits in this process. */
  send(items: readonly TransactionItem[], dryRun?: boolean): void;
  halfClose(): void;
  cancel(): void;
  /** What has come so far, in order. */
  readonly results: readonly TransactionResult[];
  /** Resolves once there are so many results, or the stream has ended. */
  waitFor(count: number): Promise<void>;
  readonly ended: Promise<StreamEnd>;
  close(): void;
};

/** A bare StreamTransactions on a connection of its own. */
export function openStream(
  address: string,
  token: string,
  channel: ChannelCredentials = credentials.createInsecure(),
): OpenStream {
  const client = new Client(address, channel, {
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const method = WalletServiceService.streamTransactions;
  const call = client.makeBidiStreamRequest<StreamTransactionsRequest, StreamTransactionsResponse>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata,
  );
  const results: TransactionResult[] = [];
  let hasEnded = false;
  let look: () => void = () => undefined;
  const ended = new Promise<StreamEnd>((resolve) => {
    const end = (how: string): void => {
      hasEnded = true;
      resolve(how);
      look();
    };
    call.on('error', (err) => end(reasonOf(err as ServiceError)));
    call.on('status', ({ code }) => code === status.OK && end('OK'));
  });
  call.on('data', (response: StreamTransactionsResponse) => {
    results.push(...response.results);
    look();
  });
  return {
    send: (items, dryRun = false) => void call.write({ items: [...items], dryRun }),
    halfClose: () => void call.end(),
    cancel: () => call.cancel(),
    results,
    waitFor: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (results.length >= count || hasEnded) resolve();
        };
        look();
      }),
    ended,
    close: () => client.close(),
  };
}

/** Sends messages, ends the stream, and gives all results and how it ended. */
export async function sendAll(
  address: string,
  token: string,
  messages: readonly (readonly TransactionItem[])[],
  dryRun = false,
): Promise<{ readonly results: readonly TransactionResult[]; readonly end: StreamEnd }> {
  const stream = openStream(address, token);
  for (const items of messages) stream.send(items, dryRun);
  stream.halfClose();
  const end = await stream.ended;
  stream.close();
  return { results: stream.results, end };
}

/**
 * A client that sends and never reads an answer. Not grpc-js, which reads answers unasked.
 */
export function openMuteStream(
  address: string,
  token: string,
  messages: readonly (readonly TransactionItem[])[],
): { close(): void } {
  const session = connect(`http://${address}`);
  session.on('error', () => undefined);
  const { path, requestSerialize } = WalletServiceService.streamTransactions;
  const request = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${token}`,
  });
  request.on('error', () => undefined);
  for (const items of messages) {
    const body = requestSerialize({ items: [...items], dryRun: false });
    // A gRPC frame: not compressed, and the length in four bytes.
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    request.write(Buffer.concat([head, body]));
  }
  return { close: () => session.destroy() };
}

/** `done`, `replayed`, or the reason of the refusal. */
export function outcomeOf({ outcome }: TransactionResult): string {
  if (outcome?.$case === 'created') return outcome.value.replayed ? 'replayed' : 'done';
  return outcome?.value.reason ?? 'nothing';
}

function reasonOf(err: ServiceError): string {
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return `code ${err.code}`;
  const [detail] = Status.decode(bytes).details;
  return ErrorInfo.decode(detail?.value ?? new Uint8Array()).reason;
}
