import {
  Metadata,
  type Client,
  type ClientReadableStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';

export type AnyMethod = MethodDefinition<object, object>;

/** How a call of any kind ended; `messages` are what came before. */
export type Outcome = {
  readonly code: number;
  /** Empty where the call was answered. */
  readonly reason: string;
  readonly message: string;
  /** Without the number of the request. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly messages: readonly object[];
};

const timeoutMs = 20_000;

/** The streams that have no end of their own: of these the first answer is all that is read. */
export const isEndless = ({ path }: Pick<AnyMethod, 'path'>): boolean =>
  path.endsWith('/WatchLines');

/** Calls an RPC of any kind, with one request; a stream of answers is read to its end. */
export function callAny(
  client: Client,
  method: AnyMethod,
  request: object,
  authorization: string | undefined,
): Promise<Outcome> {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  const options = { deadline: Date.now() + timeoutMs };
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve) => {
    const messages: object[] = [];
    const end = (err: ServiceError | null): void => resolve({ ...readEnd(err), messages });
    if (!method.requestStream && !method.responseStream) {
      const done = (err: ServiceError | null, message?: object): void => {
        if (message) messages.push(message);
        end(err);
      };
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        done,
      );
      return;
    }
    const listen = (stream: ClientReadableStream<object>): void => {
      stream.on('data', (message: object) => {
        messages.push(message);
        if (!isEndless(method)) return;
        end(null);
        stream.cancel();
      });
      stream.on('error', (err) => end(err as ServiceError));
      stream.on('end', () => end(null));
    };
    const types = [path, requestSerialize, responseDeserialize] as const;
    if (!method.requestStream) {
      listen(client.makeServerStreamRequest(...types, request, metadata, options));
      return;
    }
    const stream = client.makeBidiStreamRequest(...types, metadata, options);
    listen(stream);
    stream.write(request);
    stream.end();
  });
}

/** Code, reason and metadata of the end of a call. */
export function readEnd(err: ServiceError | null): Omit<Outcome, 'messages'> {
  if (!err) return { code: 0, reason: '', message: '', metadata: {} };
  const { code, details: message } = err;
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return { code, reason: `code ${code}`, message, metadata: {} };
  const [detail] = Status.decode(bytes).details;
  const info = ErrorInfo.decode(detail?.value ?? new Uint8Array());
  const { requestId: _requestId, ...metadata } = info.metadata;
  return { code, reason: info.reason, message, metadata };
}

/** An outcome as a text to look for things in: bigints, bytes and dates included. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? part.toString() : part,
  );
