import { createWakeUp } from './wake-up.ts';

/** Work that has been begun: `completed` is its outcome. */
export type Begun<Out> = { readonly completed: Promise<Out> };

/**
 * Begins work on one input after the other and gives the outcomes in the same order, with at most
 * `limit` in flight: begun, and not yet read. An error of the inputs or of `begin` is thrown after
 * the outcomes of all that was begun before it.
 */
export async function* pipeline<In, Out>(
  inputs: AsyncIterable<In>,
  begin: (input: In) => Promise<Begun<Out>>,
  limit: number,
): AsyncGenerator<Out, void, undefined> {
  const pending: Promise<Out>[] = [];
  const onBegun = createWakeUp();
  const onTaken = createWakeUp();
  const state: State = { end: undefined, isAbandoned: false };
  const isFull = (): boolean => pending.length >= limit && !state.isAbandoned;

  const beginAll = async (): Promise<void> => {
    // Leaving a `for await` would end the inputs, which their owner does.
    const iterator = inputs[Symbol.asyncIterator]();
    for (;;) {
      const next = await iterator.next();
      if (next.done === true || state.isAbandoned) return;
      const { completed } = await begin(next.value);
      // Its failure is thrown when its turn comes.
      completed.catch(() => undefined);
      pending.push(completed);
      onBegun.wake();
      while (isFull()) await onTaken.wait();
    }
  };
  void beginAll()
    .then(() => (state.end = {}))
    .catch((err: unknown) => (state.end = { failure: { err } }))
    .finally(() => onBegun.wake());

  try {
    for (;;) {
      const [first] = pending;
      if (first) {
        const outcome = await first;
        yield outcome;
        void pending.shift();
        onTaken.wake();
      } else if (state.end) {
        break;
      } else {
        await onBegun.wait();
      }
    }
    if (state.end.failure) throw state.end.failure.err;
  } finally {
    state.isAbandoned = true;
    onTaken.wake();
    await Promise.allSettled(pending);
  }
}

type State = {
  end: { readonly failure?: { readonly err: unknown } } | undefined;
  isAbandoned: boolean;
};
