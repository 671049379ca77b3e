import { Metadata, status, type ServiceError } from '@grpc/grpc-js';

import { isReason, reasonCodes, type Reason, type Rejection } from '../../../core/reasons.ts';
import {
  ErrorInfo,
  Status,
  type ErrorReason,
} from '../../../protos/gen/digitalwallet/common/v1/error.ts';
import type { Log } from '../log.ts';

type WireReason = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED' | 'UNRECOGNIZED'>;

// Both directions: a reason that is missing in core or in the proto does not compile.
const statusNames: Readonly<Record<WireReason, keyof typeof status>> = reasonCodes;
const toWireReason = (reason: Reason): WireReason => reason;

const errorInfoUrl = 'type.googleapis.com/google.rpc.ErrorInfo';

/**
 * Trailers have little room: a client that gets more than it takes gives up its whole connection.
 * A refusal that repeats what was asked must not be as long as that can be.
 */
const maxTextLength = 1_000;
const cut = (text: string): string =>
  text.length <= maxTextLength
    ? text
    : `${text.slice(0, maxTextLength).replace(/[\ud800-\udbff]$/, '')}…`;

/**
 * Between half a second and one and a half: clients with the same delay would return at the same
 * time.
 */
const suggestPause = (): string => String(500 + Math.floor(Math.random() * 1_000));

/** What is said of a rejection: status code, message, and google.rpc.ErrorInfo in the details. */
export type Refused = { readonly code: status; readonly message: string; readonly details: Buffer };

/** A rejection as gRPC sends it. */
export function toRefused(rejection: Rejection, requestId: string): Refused {
  const code = status[statusNames[rejection.reason]];
  const message = cut(rejection.message);
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(rejection.metadata)) metadata[key] = cut(value);
  if (code === status.RESOURCE_EXHAUSTED && metadata['retryAfterSeconds'] === undefined) {
    metadata['retryAfterMs'] ??= suggestPause();
  }
  metadata['requestId'] = requestId;
  const reason = toWireReason(rejection.reason);
  const info = ErrorInfo.encode({ reason, domain: 'digitalwallet', metadata });
  const any = { typeUrl: errorInfoUrl, value: Buffer.from(info.finish()) };
  const details = Buffer.from(Status.encode({ code, message, details: [any] }).finish());
  return { code, message, details };
}

/** The same, as the gRPC library takes it. */
export function toServiceError(rejection: Rejection, requestId: string): ServiceError {
  const { code, message, details } = toRefused(rejection, requestId);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', details);
  metadata.set('x-request-id', requestId);
  return Object.assign(new Error(message), { code, details: message, metadata });
}

/**
 * The one place where the unexpected is masked: the log gets everything, the caller a number to
 * quote and nothing else.
 */
export function maskUnexpected(err: unknown, log: Log, requestId: string): Rejection {
  log.error({ err, requestId }, 'unexpected error');
  return {
    reason: 'INTERNAL',
    message: `something went wrong on the server: it is in the log under request id ${requestId}`,
    metadata: {},
  };
}

/** What a peer refused, if it gave one of our reasons. */
export function readServiceError(err: unknown): Rejection | undefined {
  if (!(err instanceof Error) || !('metadata' in err) || !(err.metadata instanceof Metadata)) {
    return undefined;
  }
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return undefined;
  const { message, details } = Status.decode(bytes);
  const detail = details.find((any) => any.typeUrl === errorInfoUrl);
  const info = detail && ErrorInfo.decode(detail.value);
  if (!info || !isReason(info.reason)) return undefined;
  const { requestId: _requestId, ...metadata } = info.metadata;
  return { reason: info.reason, message, metadata };
}
