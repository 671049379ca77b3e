import { refuse } from '../../core/reasons.ts';
import type { Command } from './domain.ts';

/** The refusal of what would add to an outbox that has no room. */
export const { rejection: outboxFull } = refuse(
  'OUTBOX_FULL',
  'too many events wait for the message broker: nothing was done, try again later',
);

/** The same command where the outbox has no room: answered only if it was done before. */
export const onlyIfDone = <C extends Command>(command: C): C => ({
  ...command,
  refusedIfNew: outboxFull,
});
