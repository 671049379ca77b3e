/** What RabbitMQ says where a queue or an exchange is there with other arguments. */
const conflict = /PRECONDITION_FAILED - inequivalent arg '[^']*' for (queue|exchange)/;
const lateAck = /PRECONDITION_FAILED - delivery acknowledgement .* timed out/;

/**
 * True where something of ours was declared otherwise by another program. PRECONDITION_FAILED alone
 * does not say so: it is also the answer to a late acknowledgement.
 */
export const isConflict = (problem: string | undefined): boolean => conflict.test(problem ?? '');

/** What to do about a problem that RabbitMQ has named, where that is known. */
export function findHint(problem: string): string | undefined {
  const kind = conflict.exec(problem)?.[1];
  if (kind === 'queue') {
    return 'another program declared it otherwise: delete it once empty, or name another queue';
  }
  if (kind === 'exchange') {
    return 'another program declared it otherwise: delete the exchange, and walletd declares it again';
  }
  if (lateAck.test(problem)) {
    return 'messages could not be handled for longer than consumer_timeout: they stay in the queue, and come again';
  }
  return undefined;
}
