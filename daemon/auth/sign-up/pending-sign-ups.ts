/** A sign-up that waits, and the network that it came from. */
export type WaitingSignUp = { readonly id: string; readonly network: string };

/** Sign-ups that can wait for one address: their passwords are all compared with a typed one. */
export const maxPendingSignUps = 8;

/**
 * Whether one more sign-up from `network` is kept, and which one makes room for it: none while
 * there is room, otherwise the newest of the network that has the most, if that has at least two
 * more than `network`. So a sign-up that came first stays, and one network cannot have all of them.
 *
 * @param pending the oldest first
 */
export function admitSignUp(
  pending: readonly WaitingSignUp[],
  network: string,
): { readonly isKept: boolean; readonly removedId?: string } {
  if (pending.length < maxPendingSignUps) return { isKept: true };
  const counts = new Map<string, number>();
  for (const signUp of pending) counts.set(signUp.network, (counts.get(signUp.network) ?? 0) + 1);
  const [largest = '', count = 0] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (count < (counts.get(network) ?? 0) + 2) return { isKept: false };
  const removed = pending.findLast((signUp) => signUp.network === largest);
  return { isKept: true, ...(removed ? { removedId: removed.id } : {}) };
}
