/** Work that has been begun: `settled` is its outcome. */
export type Begun<Out> = { readonly settled: Promise<Out> };

/**
 * Begins work on one input after the other and gives the outcomes in the same order, with at most
 * `limit` in hand: begun, and not yet taken by whoever reads. An error of the inputs or of `begin`
 * is told after the outcomes of all that was begun before it.
 */
export async function* pipeline<In, Out>(
  inputs: AsyncIterable<In>,
  begin: (input: In) => Promise<Begun<Out>>,
  limit: number,
): AsyncGenerator<Out, void, undefined> {
  const hand: Promise<Out>[] = [];
  const onBegun = createSignal();
  const onTaken = createSignal();
  const state: State = { end: undefined, isAbandoned: false };
  const isFull = (): boolean => hand.length >= limit && !state.isAbandoned;

  const beginAll = async (): Promise<void> => {
    // By hand: leaving a `for await` would end the inputs, which their owner does.
    const iterator = inputs[Symbol.asyncIterator]();
    for (;;) {
      const next = await iterator.next();
      if (next.done === true || state.isAbandoned) return;
      const { settled } = await begin(next.value);
      // Its failure is told when its turn comes.
      settled.catch(() => undefined);
      hand.push(settled);
      onBegun.give();
      while (isFull()) await onTaken.wait();
    }
  };
  void beginAll()
    .then(() => (state.end = {}))
    .catch((err: unknown) => (state.end = { failure: { err } }))
    .finally(() => onBegun.give());

  try {
    for (;;) {
      const [first] = hand;
      if (first) {
        const outcome = await first;
        yield outcome;
        void hand.shift();
        onTaken.give();
      } else if (state.end) {
        break;
      } else {
        await onBegun.wait();
      }
    }
    if (state.end.failure) throw state.end.failure.err;
  } finally {
    state.isAbandoned = true;
    onTaken.give();
    await Promise.allSettled(hand);
  }
}

type State = {
  end: { readonly failure?: { readonly err: unknown } } | undefined;
  isAbandoned: boolean;
};

/** Wakes the one who waits; given while nobody waits, it is kept for the next who does. */
function createSignal() {
  let isGiven = false;
  let wake: (() => void) | undefined;
  return {
    give: () => {
      isGiven = true;
      wake?.();
    },
    wait: async () => {
      if (!isGiven) await new Promise<void>((resolve) => (wake = resolve));
      isGiven = false;
      wake = undefined;
    },
  };
}
