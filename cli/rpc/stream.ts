import type { Readable } from 'node:stream';

import { type Client, type Metadata, type ServiceError } from '@grpc/grpc-js';

import { readCallFailure, type CallResult } from './errors.ts';
import type { Method } from './method.ts';

/** Messages both ways. It ends by itself with an error or after `end`, and then gives no more. */
export type MessageStream<Request, Response> = {
  /** Resolves when there is room for another. */
  write(message: Request): Promise<void>;
  /** Nothing more will be written. */
  end(): void;
  /** The next message; undefined at the end. */
  read(): Promise<CallResult<Response | undefined>>;
  cancel(): void;
};

/** Messages of the server's. It ends by itself, with an error or without. */
export type AnswerStream<Response> = Pick<MessageStream<never, Response>, 'read' | 'cancel'>;

/** A stream on a connected client, whose errors are values. */
export function openMessageStream<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  metadata: Metadata,
  requestId: string,
): MessageStream<Request, Response> {
  const call = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata,
  );
  // Read below; without a listener an error before the first read would end the process.
  call.on('error', () => undefined);
  return {
    ...readMessages(call, requestId),
    write: (message) =>
      new Promise((resolve) => {
        if (call.destroyed || call.write(message)) {
          resolve();
          return;
        }
        const finish = (): void => {
          call.off('drain', finish).off('close', finish);
          resolve();
        };
        call.once('drain', finish).once('close', finish);
      }),
    end: () => call.end(),
  };
}

/** One request, and a stream of answers. What is not read waits at the server. */
export function openAnswerStream<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  request: Request,
  metadata: Metadata,
  requestId: string,
): AnswerStream<Response> {
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata,
  );
  call.on('error', () => undefined);
  return readMessages(call, requestId);
}

function readMessages<Response>(
  call: Readable & { cancel(): void },
  requestId: string,
): AnswerStream<Response> {
  const messages = call[Symbol.asyncIterator]() as AsyncIterator<Response, undefined>;
  return {
    read: async () => {
      try {
        const next = await messages.next();
        return { ok: true, value: next.done ? undefined : next.value };
      } catch (error) {
        return { ok: false, failure: readCallFailure(error as ServiceError, requestId) };
      }
    },
    cancel: () => call.cancel(),
  };
}
