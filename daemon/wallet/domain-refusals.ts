import { refuse, type Reason, type Rejection } from '../../core/reasons.ts';
import type { Decision } from './domain-types.ts';

/** A new refusal for a business reason. */
export const reject = (
  reason: Reason,
  message: string,
  metadata: Rejection['metadata'],
): Extract<Decision, { kind: 'rejected' }> => ({
  kind: 'rejected',
  rejection: refuse(reason, message, metadata).rejection,
  isRepeated: false,
});
