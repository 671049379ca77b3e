import { createHash, randomUUID } from 'node:crypto';

import { uuidV5 } from '../../../core/ids.ts';

/** Namespace of dead letters' ids: a fixed random UUID. */
const letterNamespace = '5c6d2f0a-53b1-4b76-9f5e-0a4b1f3d9c27';

/** A message with a name is the same letter however often it comes; one without is always new. */
export function letterIdOf(
  queue: string,
  messageId: string | undefined,
  body: Buffer | string,
): string {
  if (messageId === undefined) return randomUUID();
  const digest = createHash('sha256').update(body).digest('hex');
  return uuidV5(letterNamespace, `${queue}:${digest}:${messageId}`);
}
