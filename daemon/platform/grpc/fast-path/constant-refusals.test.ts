import { randomUUID } from 'node:crypto';

import { expect, it } from 'vitest';

import { refuse } from '../../../../core/reasons.ts';
import { ErrorInfo, Status } from '../../../../protos/gen/digitalwallet/common/v1/error.ts';
import { toRefused, type Refused } from '../errors.ts';
import { createConstantRefusals } from './constant-refusals.ts';

const { rejection } = refuse('OVERLOADED', 'there is no room: try again shortly');
const { rejection: other } = refuse('OVERLOADED', 'something else');

function read({ code, message, details }: Refused) {
  const status = Status.decode(details);
  const { reason, domain, metadata } = ErrorInfo.decode(status.details[0]!.value);
  const { retryAfterMs, ...rest } = metadata;
  return { code, message, status: status.message, reason, domain, rest, retryAfterMs };
}

it('a refusal that was encoded once is what the ordinary way encodes', () => {
  const toConstant = createConstantRefusals();
  const ids = ['12345678', 'x'.repeat(64), 'given-by-the-caller', randomUUID(), randomUUID()];
  for (let n = 0; n < 200; n += 1) {
    const requestId = ids[n % ids.length]!;
    for (const one of [rejection, other]) {
      const { retryAfterMs, ...constant } = read(toConstant(one, requestId));
      const { retryAfterMs: _pause, ...ordinary } = read(toRefused(one, requestId));
      expect(constant).toEqual(ordinary);
      expect(constant.rest).toEqual({ requestId });
      expect(Number(retryAfterMs)).toBeGreaterThanOrEqual(500);
      expect(Number(retryAfterMs)).toBeLessThan(1_500);
    }
  }
});

it('refusals that wait do not share their bytes, and ask for different pauses', () => {
  const toConstant = createConstantRefusals();
  const ids = Array.from({ length: 100 }, () => randomUUID());
  const refused = ids.map((id) => read(toConstant(rejection, id)));
  expect(refused.map(({ rest }) => rest)).toEqual(ids.map((requestId) => ({ requestId })));
  expect(new Set(refused.map(({ retryAfterMs }) => retryAfterMs)).size).toBeGreaterThan(10);
});
