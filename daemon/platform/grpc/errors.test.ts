import { describe, expect, it } from 'vitest';

import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';
import { toServiceError } from './errors.ts';

describe('rejections on the wire', () => {
  it('a rejection cuts long texts of a request to what trailers have room for', () => {
    const long = '🧾'.repeat(40_000);
    const error = toServiceError(
      { reason: 'DEAD_LETTER_NOT_FOUND', message: `no ${long}`, metadata: { deadLetterId: long } },
      'request-id',
    );
    const bytes = error.metadata.get('grpc-status-details-bin')[0] as Buffer;
    expect(error.details.length).toBeLessThan(1_010);
    expect(bytes.length).toBeLessThan(6_000);
    const info = ErrorInfo.decode(Status.decode(bytes).details[0]!.value);
    expect(info.metadata['deadLetterId']).toBe(`${'🧾'.repeat(500)}…`);
  });

  it('a rejection keeps a short message unchanged', () => {
    const metadata = { field: 'amount' };
    const error = toServiceError({ reason: 'AMOUNT_INVALID', message: 'a text', metadata }, 'r');
    expect(error.details).toBe('a text');
  });
});
