import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';

import { reasonCodes, type Reason } from '../../core/reasons.ts';
import { ErrorInfo, Status } from '../../protos/gen/digitalwallet/common/v1/error.ts';
import { exitCodeByReason } from './exit-codes.ts';
import { readCallFailure, toCliFailure, toUnsentFailure, unknownReasons } from './errors.ts';
import { refusal } from '../test-support.ts';
import { nameStatusCode, status as ownStatus } from './status.ts';

const bare = (code: status, details = 'x'): ServiceError =>
  Object.assign(new Error(details), { code, details, metadata: new Metadata() });

/** A refusal with a reason that this version does not have. */
function newer(code: status, domain = 'digitalwallet'): ServiceError {
  const error = bare(code, 'more than the limit');
  const info = ErrorInfo.fromPartial({ reason: 'SPENDING_LIMIT', domain });
  const typeUrl = 'type.googleapis.com/google.rpc.ErrorInfo';
  const value = Buffer.from(ErrorInfo.encode(info).finish());
  const details = Status.fromPartial({ code, details: [{ typeUrl, value }] });
  error.metadata.set('grpc-status-details-bin', Buffer.from(Status.encode(details).finish()));
  return error;
}

describe('exit codes', () => {
  const expected: Partial<Record<Reason, number>> = {
    AMOUNT_INVALID: 2,
    USER_REQUIRED: 2,
    RANGE_TOO_LONG: 2,
    TOKEN_EXPIRED: 4,
    EMAIL_UNVERIFIED: 4,
    TRANSACTION_NOT_FOUND: 5,
    PARENT_NOT_FOUND: 5,
    DEAD_LETTER_NOT_FOUND: 5,
    INSUFFICIENT_FUNDS: 6,
    PARENT_ALREADY_UNDONE: 6,
    IDEMPOTENCY_KEY_REUSED: 6,
    WALLET_FROZEN: 6,
    DEAD_LETTER_RESOLVED: 6,
    DATABASE_UNAVAILABLE: 7,
    DATABASE_BUSY: 7,
    OVERLOADED: 7,
    OUTBOX_FULL: 7,
    SHUTTING_DOWN: 7,
    AUTH_UNAVAILABLE: 7,
    STATEMENT_UNAVAILABLE: 7,
    SIGN_UP_CLOSED: 8,
    STAFF_OWN_WALLET: 8,
    OUTCOME_UNKNOWN: 9,
    DEADLINE_EXCEEDED: 9,
    INTERNAL: 1,
  };
  test.each(Object.entries(expected))('%s ends a write with exit code %s', (reason, exitCode) => {
    const failure = readCallFailure(refusal(reason as Reason, 'why'), 'sent');
    expect(toCliFailure(failure, 'write')).toMatchObject({ reason, exitCode, message: 'why' });
  });

  test('every reason has one of the documented exit codes', () => {
    expect(Object.keys(exitCodeByReason).sort()).toEqual(Object.keys(reasonCodes).sort());
    const documented = new Set([1, 2, 4, 5, 6, 7, 8, 9]);
    for (const code of Object.values(exitCodeByReason)) expect(documented).toContain(code);
  });

  test('a read of unknown outcome ends with exit code 7', () => {
    const reasons = ['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED'] as const;
    for (const reason of reasons) {
      const failure = readCallFailure(refusal(reason, 'why'), 'sent');
      expect(toCliFailure(failure, 'read').exitCode).toBe(7);
    }
  });
});

describe('certainty of outcomes', () => {
  test('a write that never connected ends with UNREACHABLE, exit code 7', () => {
    const failure = toUnsentFailure('cannot connect');
    expect(toCliFailure(failure, 'write')).toMatchObject({ reason: 'UNREACHABLE', exitCode: 7 });
  });

  test.each([
    status.UNAVAILABLE,
    status.DEADLINE_EXCEEDED,
    status.CANCELLED,
    status.INTERNAL,
    status.UNKNOWN,
    status.RESOURCE_EXHAUSTED,
    status.ABORTED,
  ])('gRPC code %s without a reason is an unknown outcome', (code) => {
    const failure = readCallFailure(bare(code), 'sent');
    expect(failure.certainty).toBe('unknown');
    expect(toCliFailure(failure, 'write').exitCode).toBe(9);
    expect(toCliFailure(failure, 'read').exitCode).toBe(7);
  });

  test('an error with unreadable details is an unknown outcome', () => {
    const error = refusal('OVERLOADED', 'x');
    error.metadata.set('grpc-status-details-bin', Buffer.from('nonsense'));
    expect(readCallFailure(error, 'sent').certainty).toBe('unknown');
  });

  test.each([
    [status.UNAUTHENTICATED, 4],
    [status.PERMISSION_DENIED, 8],
    [status.INVALID_ARGUMENT, 2],
    [status.UNIMPLEMENTED, 1],
    [status.NOT_FOUND, 5],
    [status.ALREADY_EXISTS, 6],
    [status.FAILED_PRECONDITION, 6],
  ])('gRPC code %s without a reason is a refusal, with exit code %s', (code, exitCode) => {
    const failure = readCallFailure(bare(code), 'sent');
    expect(failure.certainty).toBe('refused');
    expect(toCliFailure(failure, 'write').exitCode).toBe(exitCode);
  });

  test.each([
    [status.INVALID_ARGUMENT, 2],
    [status.UNAUTHENTICATED, 4],
    [status.NOT_FOUND, 5],
    [status.FAILED_PRECONDITION, 6],
    [status.ALREADY_EXISTS, 6],
    [status.RESOURCE_EXHAUSTED, 7],
    [status.ABORTED, 7],
    [status.UNAVAILABLE, 7],
    [status.PERMISSION_DENIED, 8],
  ])('a reason of a newer server with gRPC code %s is a refusal, with exit code %s', (...row) => {
    const [code, exitCode] = row;
    const failure = readCallFailure(newer(code), 'sent');
    expect(failure).toMatchObject({ certainty: 'refused', serverReason: 'SPENDING_LIMIT' });
    expect(toCliFailure(failure, 'write')).toMatchObject({
      exitCode,
      serverReason: 'SPENDING_LIMIT',
      message: 'more than the limit',
    });
  });

  test.each([status.UNKNOWN, status.INTERNAL, status.CANCELLED, status.DEADLINE_EXCEEDED])(
    'a reason of a newer server with gRPC code %s is an unknown outcome',
    (code) => {
      const failure = readCallFailure(newer(code), 'sent');
      expect(failure.certainty).toBe('unknown');
      expect(toCliFailure(failure, 'write').exitCode).toBe(9);
    },
  );

  test('details of another domain make no refusal of a code that proxies use', () => {
    const failure = readCallFailure(newer(status.UNAVAILABLE, 'envoy'), 'sent');
    expect(failure.certainty).toBe('unknown');
  });

  test('the gRPC code of every reason says whether the outcome is known', () => {
    const unknownCodes = ['UNKNOWN', 'INTERNAL', 'CANCELLED', 'DEADLINE_EXCEEDED'];
    for (const [reason, code] of Object.entries(reasonCodes)) {
      const isUnknown = unknownReasons.has(reason as Reason);
      expect({ reason, isUnknown }).toEqual({ reason, isUnknown: unknownCodes.includes(code) });
    }
  });

  test.each([
    [404, 'unsent'],
    [403, 'unsent'],
    [415, 'unsent'],
    [408, 'unknown'],
    [502, 'unknown'],
  ])('an answer with HTTP %s instead of gRPC is %s', (httpStatus, certainty) => {
    const error = bare(status.UNIMPLEMENTED, `Received HTTP status code ${httpStatus}`);
    error.code = httpStatus >= 404 ? status.UNKNOWN : status.PERMISSION_DENIED;
    expect(readCallFailure(error, 'sent').certainty).toBe(certainty);
  });
});

test('a time-out is reported without the text of the gRPC library', () => {
  const error = bare(status.DEADLINE_EXCEEDED, 'Deadline exceeded after 0.8s,LB pick: 0.1s');
  expect(readCallFailure(error, 'sent').message).toBe('the server did not answer in time');
});

test('the request id is that of the error details, of the trailer, or the one sent', () => {
  expect(readCallFailure(refusal('INTERNAL', 'x', { requestId: 'a' }), 'sent').requestId).toBe('a');
  const error = bare(status.UNAVAILABLE);
  expect(readCallFailure(error, 'sent').requestId).toBe('sent');
  error.metadata.set('x-request-id', 'b');
  expect(readCallFailure(error, 'sent').requestId).toBe('b');
});

test('the status codes and their names are those of the gRPC library', () => {
  expect(status).toMatchObject(ownStatus);
  for (let code = 0; code <= 16; code += 1) expect(nameStatusCode(code)).toBe(status[code]);
  expect(nameStatusCode(17)).toBe('17');
});
