import { Metadata, status, type ServiceError } from '@grpc/grpc-js';

import { reasonCodes, type Reason, type Rejection } from '../../../core/reasons.ts';
import {
  ErrorInfo,
  Status,
  type ErrorReason,
} from '../../../protos/gen/digitalwallet/events/v1/error.ts';
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

/** A rejection as gRPC sends it: status code, message, and google.rpc.ErrorInfo in the details. */
export function toServiceError(whole: Rejection, requestId: string): ServiceError {
  const named = Object.entries(whole.metadata).map(([key, value]) => [key, cut(value)] as const);
  const rejection = { ...whole, message: cut(whole.message), metadata: Object.fromEntries(named) };
  const code = status[statusNames[rejection.reason]];
  const info = ErrorInfo.fromPartial({
    reason: toWireReason(rejection.reason),
    domain: 'digitalwallet',
    metadata: { ...rejection.metadata, requestId },
  });
  const details = Status.fromPartial({
    code,
    message: rejection.message,
    details: [{ typeUrl: errorInfoUrl, value: Buffer.from(ErrorInfo.encode(info).finish()) }],
  });
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode(details).finish()));
  metadata.set('x-request-id', requestId);
  return Object.assign(new Error(rejection.message), {
    code,
    details: rejection.message,
    metadata,
  });
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

/** The reason and metadata of a peer's answer, as far as it is one of ours. */
export function reasonOfServiceError(err: unknown): Reason | undefined {
  if (!(err instanceof Error) || !('metadata' in err) || !(err.metadata instanceof Metadata)) {
    return undefined;
  }
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return undefined;
  const detail = Status.decode(bytes).details.find((any) => any.typeUrl === errorInfoUrl);
  const reason = detail && ErrorInfo.decode(detail.value).reason;
  return reason !== undefined && Object.hasOwn(reasonCodes, reason)
    ? (reason as Reason)
    : undefined;
}
