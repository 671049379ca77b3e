import { expect } from 'vitest';

/** A pure function that decides a command on a state, as a specification sees it. */
export type Decider<State, Command, Decision> = {
  decide(state: State, command: Command): Decision;
  /** What the decision is in a word: `accepted`, or the reason of a refusal. */
  outcomeOf(decision: Decision): string;
  /** The state after a decision; needed where a specification gives a history of commands. */
  evolve?(state: State, command: Command, decision: Decision): State;
};

type Given<State, Command, Decision> = {
  readonly state: State;
  when(command: Command): When<Decision>;
};

type When<Decision> = {
  readonly decision: Decision;
  /** Checks the outcome, and that the decision has these properties. */
  then(outcome: string, properties?: object): void;
};

/**
 * Given a state and a history of accepted commands, when a command is decided, then the outcome is:
 *
 *     given(noStates, deposit(100n)).when(withdraw(100n)).then('accepted', { entries: [...] });
 */
export function specify<State, Command, Decision>(decider: Decider<State, Command, Decision>) {
  const apply = (state: State, command: Command): State => {
    const decision = decider.decide(state, command);
    expect(decider.outcomeOf(decision), 'outcome of a given command').toBe('accepted');
    if (!decider.evolve) throw new Error('a history of commands needs a decider with evolve');
    return decider.evolve(state, command, decision);
  };
  return {
    given: (initial: State, ...history: readonly Command[]): Given<State, Command, Decision> => {
      const state = history.reduce(apply, initial);
      return {
        state,
        when: (command) => {
          const decision = decider.decide(state, command);
          return {
            decision,
            then: (outcome, properties = {}) => {
              expect(decider.outcomeOf(decision)).toBe(outcome);
              if (Object.keys(properties).length > 0) expect(decision).toMatchObject(properties);
            },
          };
        },
      };
    },
  };
}

/** The outcome of a decider that gives a result. */
export const outcomeOfResult = (
  result: { readonly ok: true } | { readonly ok: false; readonly rejection: { reason: string } },
): string => (result.ok ? 'accepted' : result.rejection.reason);
